/** The code that Node gave to an error (`ENOENT`), as text; null when it has none. Total. */
export function errorCodeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
