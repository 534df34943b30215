const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** An id or attempt in its stored form, lower case; null if the text is not a UUID. */
export function parseId(text: string): string | null {
  if (text.length !== 36) return null
  const lower = text.toLowerCase()
  return idPattern.test(lower) ? lower : null
}

/** The strong ETag of a row, made from the attempt that wrote it; null for a row without one. */
export function etagOf(attempt: unknown): string | null {
  return typeof attempt === 'string' && attempt !== '' ? `"${attempt}"` : null
}

/** The value of `If-Match` or `If-None-Match`: any row, or the rows that these attempts wrote. */
export type Precondition = '*' | readonly string[]

/**
 * Parses such a header; null if it is absent. Unless `weak` is true, weak tags (`W/"..."`) match nothing, as RFC 9110
 * requires for `If-Match`.
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

/** True if the precondition names a row that this attempt wrote. */
export function isNamed(precondition: Precondition, attempt: unknown): boolean {
  if (precondition === '*') return true
  return typeof attempt === 'string' && precondition.includes(attempt)
}
