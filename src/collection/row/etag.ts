import { parseId } from './cursor.ts'

/** The strong ETag of a row that this unit of work wrote; null for a row that nobody's attempt is known of. */
export function etagOf(attempt: unknown): string | null {
  return typeof attempt === 'string' && attempt !== '' ? `"${attempt}"` : null
}

/** What `If-Match` or `If-None-Match` names: any row, or the rows of these attempts. */
export type Precondition = '*' | readonly string[]

/**
 * Reads such a header; null when it is absent. Weak tags (`W/"..."`) name no row of ours exactly: with `weak` false they
 * match nothing, as RFC 9110 asks of `If-Match`.
 */
export function parsePrecondition(header: string | undefined, weak: boolean): Precondition | null {
  if (header === undefined) return null
  if (header.trim() === '*') return '*'
  const attempts: string[] = []
  for (const [, prefix, tag = ''] of header.matchAll(/(W\/)?"([^"]*)"/g)) {
    const attempt = prefix === undefined || weak ? parseId(tag) : null
    if (attempt !== null) attempts.push(attempt)
  }
  return attempts
}

/** True when a row that this attempt wrote is among those named. */
export function isNamed(precondition: Precondition, attempt: unknown): boolean {
  if (precondition === '*') return true
  return typeof attempt === 'string' && precondition.includes(attempt)
}
