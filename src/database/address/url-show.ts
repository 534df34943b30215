import { maskAddress } from '../../config/mask.ts'

/** Parameters whose values say nothing that is secret; whoever misspells `password` has its value hidden, too. */
const plainParameters: ReadonlySet<string> = new Set([
  ...['user', 'host', 'port', 'dbname', 'sslmode', 'ssl-mode', 'ssl', 'sslrootcert', 'channel_binding', 'options'],
  ...['application_name', 'connect_timeout', 'target_session_attrs', 'pgbouncer', 'schema', 'charset', 'collation'],
  ...['timezone', 'mode', 'cache', 'timeout'],
])

/** An address as it should be written, for a suggestion: the password masked, and each parameter that is not known to be harmless. Total. */
export function showAddress(text: string): string {
  const masked = maskAddress(text)
  const question = masked.indexOf('?')
  if (question < 0) return masked
  const parameters = masked
    .slice(question + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const isPlain =
        equals >= 0 && equals === pair.lastIndexOf('=') && plainParameters.has(pair.slice(0, equals).toLowerCase())
      if (isPlain || pair.endsWith('=***')) return pair
      const name = /^[a-z][a-z_-]{0,40}$/i.exec(pair.slice(0, Math.max(0, equals)))?.[0]
      return name === undefined ? '***' : `${name}=***`
    })
  return `${masked.slice(0, question)}?${parameters.join('&')}`
}
