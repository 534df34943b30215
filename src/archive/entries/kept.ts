import type { Problem } from '../../config/problem.ts'
import { entriesElsewhere, entriesUnknown } from './problems.ts'

/** Why objects of other processes stay where they are. */
export class KeptEntries {
  readonly #problems: Problem[] = []
  /** By the identity of the primary that they are for. */
  readonly #elsewhere = new Map<string, { readonly name: string | null; readonly entries: number }>()
  readonly #tables = new Set<string>()

  /** Once for each code and message. */
  add(problem: Problem): void {
    const isKnown = this.#problems.some(({ code, message }) => code === problem.code && message === problem.message)
    if (!isKnown) this.#problems.push(problem)
  }

  elsewhere(identity: string, name: string | null, entries: number): void {
    const { entries: before = 0 } = this.#elsewhere.get(identity) ?? {}
    this.#elsewhere.set(identity, { name, entries: before + entries })
  }

  unknownTable(name: string): void {
    this.#tables.add(name)
  }

  /** `label`: the archive's. */
  problems(label: string): readonly Problem[] {
    return [
      ...this.#problems,
      ...[...this.#elsewhere].map(([identity, { name, entries }]) => entriesElsewhere(label, identity, name, entries)),
      ...(this.#tables.size === 0 ? [] : [entriesUnknown(label, [...this.#tables])]),
    ]
  }
}
