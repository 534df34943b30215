/** Something in an address that was to be filled in and was not. */
export interface Placeholder {
  /** `address` when nothing else is there. */
  readonly part: 'address' | 'password' | 'address part'
  /** As it stands there; null where it may be somebody's real password. */
  readonly text: string | null
}

const word =
  '(?:pass|pwd|user|role|host|port|name|db|database|url|your|region|ref|project|endpoint|server|secret|token)'

const patterns: readonly RegExp[] = [
  /\$\{\{.*?\}\}/,
  /\{\{.*?\}\}/,
  /\$\{[^}]*\}/,
  /^\$[A-Z_][A-Z0-9_]*$/i,
  /^%[A-Z_][A-Z0-9_]*%$/i,
  new RegExp(`<[^<>@/]*${word}[^<>@/]*>`, 'i'),
  /\[YOUR[-_ ][^\]]*\]/i,
  /\byour[-_](?:password|user(?:name)?|host|database|db|project|url)\b/i,
]

/** Finds `${DATABASE_URL}`, `<password>`, `[YOUR-PASSWORD]` and their like; null when nothing is left to fill in. Pure. */
export function findPlaceholder(text: string): Placeholder | null {
  for (const pattern of patterns) {
    const found = pattern.exec(text)
    if (found === null) continue
    if (found[0] === text) return { part: 'address', text }
    const isSecret = found.index > passwordStart(text) && found.index < text.lastIndexOf('@')
    return isSecret ? { part: 'password', text: null } : { part: 'address part', text: found[0] }
  }
  return null
}

/** Where the user's colon stands; the end of the text when there is none. */
function passwordStart(text: string): number {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0].length ?? 0
  const colon = text.indexOf(':', scheme)
  return colon < 0 ? text.length : colon
}
