import type { Phase } from '../../../src/driver/kit/driver-kit.ts'
import { numberOf } from '../faults.ts'
import { withoutWait } from './session.ts'
import { lockTimeout } from './session-state.ts'

/** A text that ends a transaction. */
export const commitText: RegExp = /^\s*commit\b/i
export const rollbackText: RegExp = /^\s*rollback(?!\s+(?:work\s+)?to\b)/i

const beginText = /^\s*(?:begin|start\s+transaction)\b/i
const readText = /^[\s(]*(?:select|show|explain|describe|values|table|set|use|kill)\b/i
const lockingText = /\b(?:for\s+update|share\s+mode|for\s+share)\b/i

/** The phase of a statement, by its first word. */
export function phaseOfText(text: string, isInTransaction: boolean): Phase {
  const own = withoutWait(text)
  if (commitText.test(own)) return 'commit'
  if (beginText.test(own)) return 'begin'
  if (rollbackText.test(own)) return 'rollback'
  // Outside of a transaction a statement is its own COMMIT. "with" and "call" may write.
  return !isInTransaction && !readText.test(own) ? 'commit' : 'statement'
}

/** Whether the server answers it from what it has, without waiting for a row or for other members of its cluster. */
export function isPlainRead(text: string): boolean {
  return withoutWait(text) === text && readText.test(text) && !lockingText.test(text)
}

/**
 * Whether a wait for the other members has failed. The server gives it the number of a lock timeout, which would come only
 * after this client's own limit.
 */
export function isWaitOver(text: string, error: unknown): boolean {
  return numberOf(error) === lockTimeout && withoutWait(text) !== text
}
