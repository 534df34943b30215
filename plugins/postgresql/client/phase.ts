import type { Phase } from '../../../src/driver/kit/driver-kit.ts'

/** Whether a text commits. */
export function isCommit(text: string): boolean {
  return /^\s*(?:commit|end)\b/i.test(text)
}

/** Whether a text begins a transaction that may only read. */
export function isReadOnlyBegin(text: string): boolean {
  return /^[^;]*\bread\s+only\b/i.test(text)
}

/** The phase of a text by its first word; `isAlone`: outside of a transaction. */
export function phaseOf(text: string, isAlone: boolean): Phase {
  if (isCommit(text)) return 'commit'
  if (/^\s*(?:begin|start)\b/i.test(text)) return 'begin'
  if (/^\s*(?:rollback|abort)\b/i.test(text)) return 'rollback'
  // Outside of a transaction a statement is its own COMMIT; "with" and "call" may write.
  const isRead = /^[\s(]*(?:select|show|explain|values|table|set|reset|fetch)\b/i.test(text)
  return isAlone && !isRead ? 'commit' : 'statement'
}
