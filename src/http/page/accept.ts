/** True when the caller rather wants a page than JSON: a browser says so, a program says nothing or anything. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const html = weightOf(accept, 'text/html')
  return html > 0 && html >= weightOf(accept, 'application/json')
}

/** The `q` that a header names for exactly this type; 0 when it does not name it. */
function weightOf(accept: string, type: string): number {
  for (const entry of accept.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
    if (name !== type) continue
    const given = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = given === undefined ? 1 : Number(given.slice(2))
    return weight >= 0 && weight <= 1 ? weight : 0
  }
  return 0
}
