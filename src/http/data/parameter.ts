/**
 * `name=value` or `name="value"` out of a header, the name in lower case; null without `=`. Without a regular expression:
 * several optional parts side by side would take a hostile header minutes.
 */
export function parseParameter(text: string): { readonly name: string; readonly value: string } | null {
  const at = text.indexOf('=')
  if (at === -1) return null
  const value = text.slice(at + 1).trim()
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"')
  return { name: text.slice(0, at).trim().toLowerCase(), value: isQuoted ? value.slice(1, -1) : value }
}
