import assert from 'node:assert/strict'
import type { Verdict, Violation } from '../history/checker.ts'
import type { Written } from '../stage/actor.ts'
import type { World } from '../stage/world.ts'

/** Waits until everything that was acknowledged has arrived, and asserts that nothing went wrong and that so much is parked. */
export async function settles(world: World, parked = 0): Promise<Verdict> {
  const verdict = await world.settled()
  if (verdict.violations.length > 0) assert.fail(say(verdict.violations))
  assert.equal(verdict.parked, parked, `${verdict.parked} writes are parked, not ${parked}`)
  return verdict
}

/** Violations with what shows them, for a person. */
export function say(violations: readonly Violation[]): string {
  return violations.map(({ wrong, what, evidence }) => [`${wrong}: ${what}`, ...evidence].join('\n  ')).join('\n')
}

/** Asserts that a write was acknowledged there; its row's id. */
export function acknowledged(written: Written, side: 'primary' | 'fallback' | 'local'): string {
  const { status, code, write } = written
  assert.deepEqual([code, written.side], [null, side], `${write.operation} ${write.token} was answered ${status}`)
  return write.ids[0] ?? ''
}

/** The token of a row in the primary; null: there is no such row. */
export async function tokenOf(world: World, id: string): Promise<string | null> {
  const [row] = await world.sql(`select token from item where id = '${id}'`)
  return row === undefined ? null : String(row.token)
}
