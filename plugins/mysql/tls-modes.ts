import { nearest } from '../../src/driver/kit/driver-kit.ts'
import { type Tell, type Tls, type TlsMode, tlsModes } from './target.ts'

/** What an address says of TLS while it is read. */
export interface TlsWish {
  tls: Tls
  isTlsGiven: boolean
}

/** Words of other clients: libpq's, Java's, Go's, Prisma's. */
const words: Readonly<Record<string, TlsMode | undefined>> = Object.assign(Object.create(null), {
  disable: 'disabled',
  allow: 'preferred',
  prefer: 'preferred',
  require: 'required',
  trust: 'required',
  noverify: 'required',
  skipverify: 'required',
  acceptinvalidcerts: 'required',
  verifyfull: 'verify_identity',
  strict: 'verify_identity',
})

/** The modes as the servers' manuals write them. */
export const modesTold: string = `ssl-mode is one of: ${tlsModes.map((mode) => mode.toUpperCase()).join(', ')}.`

/** The mode that a word means; undefined for none. */
export function modeOf(word: string): TlsMode | undefined {
  const letters = word.toLowerCase().replace(/[-_\s]/g, '')
  return tlsModes.find((mode) => mode.replace('_', '') === letters) ?? words[letters]
}

/** The mode of a switch: `on` when it is on; the word of a mode is taken, too. */
export function switchMode(value: string, on: TlsMode): TlsMode | undefined {
  if (/^(?:true|1|on|yes|)$/i.test(value)) return on
  return /^(?:false|0|off|no)$/i.test(value) ? 'disabled' : modeOf(value)
}

/** The mode that an object means as Node's clients take it: `ssl={"rejectUnauthorized":true}`. */
export function jsonMode(value: string): TlsMode | undefined {
  if (!value.trimStart().startsWith('{')) return undefined
  try {
    const { rejectUnauthorized, verifyIdentity } = JSON.parse(value) as Record<string, unknown> // An object, by its brace.
    if (rejectUnauthorized === false) return 'required'
    return verifyIdentity === true ? 'verify_identity' : 'verify_ca'
  } catch {
    return undefined
  }
}

/** The mode that a word was probably to be; in doubt the stricter one. */
function meantMode(word: string): string {
  const strict = tlsModes.toReversed().map((mode) => mode.replace('_', ''))
  const letters = word.toLowerCase().replace(/[-_\s]/g, '')
  const begunBy = (start: string) => strict.find((mode) => start.length > 2 && mode.startsWith(start))
  const near = begunBy(letters) ?? nearest(letters, [...strict, ...Object.keys(words)])
  return (modeOf(near ?? begunBy(letters.slice(0, 3)) ?? '') ?? 'required').toUpperCase()
}

/** Notes a wish; of two that differ the stricter one counts. Undefined is an error: too much hangs on it to be dropped. */
export function wishTls(mode: TlsMode | undefined, written: string, wishes: TlsWish, tell: Tell): void {
  if (mode === undefined) {
    const shown = /^[a-z_-]{1,20}$/i.test(written) ? `"${written}"` : 'The value'
    const message = `${shown} is no TLS mode; to be dropped in silence it matters too much.`
    tell('MYSQL_TLS_MODE', 'error', 'ssl-mode', message, `Write ssl-mode=${meantMode(written)}. ${modesTold}`)
    return
  }
  const { tls, isTlsGiven } = wishes
  if (isTlsGiven && tls.mode !== mode) {
    const stricter = tlsModes[Math.max(tlsModes.indexOf(mode), tlsModes.indexOf(tls.mode))] ?? mode
    wishes.tls = { ...tls, mode: stricter }
    // Two switches that add up, such as "useSSL" and "requireSSL", are no contradiction; "off" beside "on" is one.
    if (mode !== 'disabled' && tls.mode !== 'disabled') return
    const message = `The address asks for TLS in two ways that differ; the stricter one, ${stricter}, is used.`
    tell('MYSQL_TLS_MODE', 'warning', 'ssl-mode', message, `Write ssl-mode=${stricter.toUpperCase()} alone.`)
    return
  }
  wishes.isTlsGiven = true
  wishes.tls = { ...tls, mode }
}
