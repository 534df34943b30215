/** No certificate, chain or key is longer; the longest known are bundles of hundreds of authorities. */
export const pemMaxLength = 1_048_576

/** A block of PEM text, such as a certificate: its label, its body and the label at its end. */
const block = /-----BEGIN ([A-Z0-9 ]{1,60})-----([\s\S]*?)-----END ([A-Z0-9 ]{1,60})-----/g

/** Whether a text is PEM text, complete or not, as opposed to a path. */
export function isPemText(text: string): boolean {
  return text.includes('-----BEGIN') || text.includes('-----END')
}

/**
 * PEM text with its lines restored: a variable, an env file or JSON often holds them as `\n`, as blanks, or in quotes.
 * Any other text is a path and loses the blanks around it. Total.
 */
export function readPemText(given: string): string {
  if (!isPemText(given)) return given.trim()
  const plain = given.replace(/\\r|\r/g, '').replace(/\\n/g, '\n')
  // Old private keys have headers of their own, whose lines cannot be distinguished from the body.
  if (/^[\w-]+: /m.test(plain)) return plain
  return plain.replace(block, (_, begin: string, body: string, end: string) => {
    const letters = body.replace(/\s+/g, '')
    const lines = letters.match(/.{1,64}/g) ?? []
    return [`-----BEGIN ${begin}-----`, ...lines, `-----END ${end}-----`].join('\n')
  })
}

/** What is wrong with the path of a PEM file or with PEM text, without quoting it; null when it may be used. Total. */
export function pemFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'is not text'
  if (value.length > pemMaxLength) return `is longer than ${pemMaxLength} characters`
  if (!isPemText(value)) return pathFault(value)
  const rest = value.replace(block, (whole, begin: string, body: string, end: string) => {
    const isWhole = begin === end && (/^[A-Za-z0-9+/=\s]+$/.test(body) || /^\s*[\w-]+: /.test(body))
    return isWhole ? '' : whole
  })
  return isPemText(rest) ? 'is PEM text that is not complete' : null
}

function pathFault(text: string): string | null {
  if (text.trim() === '') return 'is blank'
  if (text.length > 4_096 || /\p{Cc}/u.test(text)) return 'is neither a path nor PEM text'
  // The body of a certificate or key, without the lines around it; or the address of something.
  const isPath = !/^MII[A-Za-z0-9+/=]{40,}$/.test(text) && !/^[a-z][a-z0-9+.-]+:\/\//i.test(text)
  return isPath ? null : 'is neither a path nor PEM text'
}
