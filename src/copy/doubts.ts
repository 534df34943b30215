import type { CopyView } from '../driver/facet/copy.ts'

/** By copy and table: the number of the last write of this process that the copy has missed. */
const doubts = new WeakMap<CopyView, Map<string, number>>()
let lastDoubt = 0

/**
 * Notes that a write of this process did not reach the copy of a table (a full disk, a fallback that was not open): it is
 * not whole until a sweep that began later has ended. In memory: a later process cannot tell its clients' writes from
 * others', and `Holdfast-As-Of` is true all the time.
 */
export function doubt(copy: CopyView, table: string): void {
  const known = doubts.get(copy) ?? new Map<string, number>()
  lastDoubt += 1
  known.set(table, lastDoubt)
  doubts.set(copy, known)
}

/** The number of the last doubt; null: there is none. */
export function doubtOf(copy: CopyView, table: string): number | null {
  return doubts.get(copy)?.get(table) ?? null
}

/** Ends the doubt of this number, unless there is a later one. */
export function endDoubt(copy: CopyView, table: string, number: number | null): void {
  const known = doubts.get(copy)
  if (known?.get(table) === number) known?.delete(table)
}
