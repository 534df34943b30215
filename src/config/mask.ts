/** How much of a text is looked at; longer ones are cut, since no address is that long. */
const lengthLimit = 4_096

const secretParameter =
  /([?&;\s]|^)([\w.-]*(?:pass|pwd|secret|token|api[_-]?key|credential)[\w.-]*\s*=\s*)([\s\S]*?)(?=&[\w.-]+=|$)/gi

const schemePrefix = /^[^:/@]*?[a-z][a-z0-9+.-]*:\/\//i

/**
 * An address as it may be shown: whatever may be a password is `***`, in malformed text as well. Total. Where a text
 * can be read in two ways the one that hides more is taken, so a harmless part may be hidden too.
 */
export function maskAddress(text: string): string {
  const cut = text.slice(0, lengthLimit)
  return maskUserinfo(cut).replace(secretParameter, '$1$2***')
}

/** From the user's colon to the *last* `@`: a password may hold `@`, `/`, `#` or another address. */
function maskUserinfo(text: string): string {
  const scheme = schemePrefix.exec(text)?.[0] ?? ''
  const rest = text.slice(scheme.length)
  const at = rest.lastIndexOf('@')
  if (at < 0) return scheme === '' ? text : scheme + maskCutAuthority(rest)
  const userinfo = rest.slice(0, at)
  const colon = /:|%3a/i.exec(userinfo)
  if (colon === null) return text
  return `${scheme}${userinfo.slice(0, colon.index)}:***${rest.slice(at)}`
}

/** No `@`: host and ports are shown; a colon before anything but a port is a user whose address was cut off. */
function maskCutAuthority(rest: string): string {
  const authority = rest.split(/[/?#]/, 1)[0] ?? ''
  if (/^(?:\[[0-9a-f:.%]*\]|[^:,[\]]*)(?::\d{1,5})?(?:,[^:,]*(?::\d{1,5})?)*$/i.test(authority)) return rest
  const colon = authority.indexOf(':')
  return colon < 0 ? rest : `${rest.slice(0, colon)}:***`
}
