import { maskAddress } from './mask.ts'

const shownMaxLength = 60

/** A value that is no secret, as it stands in a problem: short, on one line, credentials of an address masked all the same. */
export function show(value: unknown): string {
  let shown: string | undefined
  try {
    shown = JSON.stringify(maskCredentials(value))
  } catch {
    // A cycle, a bigint, a thousand levels: its type is enough.
  }
  if (shown === undefined) return `a ${typeof value}`
  return shown.length > shownMaxLength ? `${shown.slice(0, shownMaxLength)}...` : shown
}

/** Text (or the entries of a list) with the password masked of an address that somebody pasted where it does not belong. */
export function maskCredentials(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('@') || value.includes('=') ? maskAddress(value) : value
  return Array.isArray(value) ? value.map(maskCredentials) : value
}
