import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { filterLimits } from '../../collection/filter/filter.ts'
import { parseFilterJson } from '../../collection/filter/filter-json.ts'
import { HoldfastError } from '../../errors.ts'

/** Deeper JSON is refused, so that code which walks a value recursively does not run out of stack. */
const maxDepth = 100

const maxContentTypeLength = 200

/** What a large body takes while it is in memory. */
export interface LargeBody {
  readonly aboveBytes: number
  /** Called once a body is known to be larger. Throws OVERLOADED. */
  take(): void
}

const noLarge: LargeBody = { aboveBytes: Number.POSITIVE_INFINITY, take() {} }

/**
 * The body of a request, parsed as JSON. Rejects with CONTENT_TYPE_UNSUPPORTED, BODY_TOO_LARGE, ENCODING_INVALID or JSON_INVALID, and
 * with REQUEST_INVALID when the client went away; nothing keeps listening to the request afterwards.
 */
export async function readJson(req: IncomingMessage, limitBytes: number, large: LargeBody = noLarge): Promise<unknown> {
  const given = await readGiven(req, limitBytes, large)
  return typeof given === 'string' ? parseJson(given) : given
}

/**
 * The body of a query, parsed as JSON. Rejects as `readJson` does, and with QUERY_INVALID for a name twice in one object: of two
 * conditions, none may be dropped in silence.
 */
export async function readQueryJson(req: IncomingMessage): Promise<unknown> {
  const given = await readGiven(req, filterLimits.bodyBytes, noLarge)
  if (typeof given !== 'string') return given
  parseJson(given)
  return parseFilterJson(withoutMark(given))
}

/** Text that is to be parsed, or what the server around Holdfast has parsed. */
async function readGiven(req: IncomingMessage, limitBytes: number, large: LargeBody): Promise<unknown> {
  checkContentType(req)
  checkTransferEncoding(req)
  const before = readBefore(req)
  // A body of `null` has been read as well.
  const given = before === undefined ? await readBytes(req, limitBytes, large) : before
  return Buffer.isBuffer(given) ? textOf(given, limitBytes) : given
}

function textOf(bytes: Buffer, limitBytes: number): string {
  if (bytes.length > limitBytes) throw tooLarge(limitBytes)
  if (bytes.length === 0) throw new HoldfastError('JSON_INVALID', { detail: 'The body is empty.' })
  if (!isUtf8(bytes)) throw new HoldfastError('ENCODING_INVALID', { detail: 'The body is not valid UTF-8.' })
  return bytes.toString('utf8')
}

function parseJson(given: string): unknown {
  const text = withoutMark(given)
  if (isDeeperThan(text, maxDepth)) {
    throw new HoldfastError('JSON_INVALID', { detail: `The body is nested deeper than ${maxDepth} levels.` })
  }
  const value = parseText(text)
  // A lone half of a surrogate pair (\ud800) has no UTF-8 form: a database would store something else.
  if (/\\u[dD][89a-fA-F]/.test(text) && !isWellFormed(value)) {
    throw new HoldfastError('ENCODING_INVALID', { detail: 'A string in the body contains half of a surrogate pair.' })
  }
  return value
}

/** Without the mark of the byte order. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // V8's message quotes the body; only the position is safe to repeat.
    const position = cause instanceof Error ? /at position (\d+)/.exec(cause.message)?.[1] : undefined
    const detail =
      position === undefined ? {} : { detail: `The JSON is incomplete or invalid at character ${position}.` }
    throw new HoldfastError('JSON_INVALID', detail)
  }
}

function checkContentType(req: IncomingMessage): void {
  const given = req.headers['content-type'] ?? ''
  // What nearly all clients send.
  if (given === 'application/json' && req.headers['content-encoding'] === undefined) return
  if (given.length > maxContentTypeLength) {
    throw new HoldfastError('CONTENT_TYPE_UNSUPPORTED', {
      detail: `Content-Type may have at most ${maxContentTypeLength} characters.`,
    })
  }
  const [type = '', ...parameters] = given.split(';')
  if (!/^application\/(?:[\w.!#$&^-]+\+)?json$/i.test(type.trim())) {
    throw new HoldfastError('CONTENT_TYPE_UNSUPPORTED')
  }
  for (const parameter of parameters) {
    const { name, value } = parseParameter(parameter) ?? { name: '', value: '' }
    if (name === 'charset' && !/^utf-?8$/i.test(value)) {
      throw new HoldfastError('CONTENT_TYPE_UNSUPPORTED', {
        detail: 'JSON must be UTF-8; no other charset is accepted.',
      })
    }
  }
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding.trim() !== '' && encoding.trim().toLowerCase() !== 'identity') {
    throw new HoldfastError('CONTENT_TYPE_UNSUPPORTED', { detail: 'Compressed bodies are not accepted.' })
  }
}

/**
 * Parses `name=value` or `name="value"` of a header; the name in lower case, null without `=`. Not by a regular
 * expression: several optional parts in a row would take minutes on a hostile header.
 */
export function parseParameter(text: string): { readonly name: string; readonly value: string } | null {
  const at = text.indexOf('=')
  if (at === -1) return null
  const value = text.slice(at + 1).trim()
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"')
  return { name: text.slice(0, at).trim().toLowerCase(), value: isQuoted ? value.slice(1, -1) : value }
}

/** Node decodes only `chunked`: with `gzip, chunked` the compressed bytes would be read as the body. */
function checkTransferEncoding(req: IncomingMessage): void {
  const coding = req.headers['transfer-encoding']
  if (coding === undefined || coding.trim().toLowerCase() === 'chunked') return
  throw new HoldfastError('REQUEST_INVALID', { detail: 'The only Transfer-Encoding accepted is "chunked".' })
}

/**
 * What the server around Holdfast has already read: the value of `express.json()`, the text or the bytes of a parser that
 * parses nothing; undefined when the body is still to be read.
 */
function readBefore(req: IncomingMessage): unknown {
  if (!req.readableEnded) return undefined
  if ('body' in req && req.body !== undefined) return req.body
  const isEmpty = req.headers['transfer-encoding'] === undefined && Number(req.headers['content-length'] ?? 0) === 0
  if (isEmpty) throw new HoldfastError('JSON_INVALID', { detail: 'The body is empty.' })
  throw new TypeError(
    'The body was read before the request reached Holdfast. Pass what was read in "body" of the request.',
  )
}

function tooLarge(limitBytes: number): HoldfastError {
  return new HoldfastError('BODY_TOO_LARGE', { detail: `The limit is ${limitBytes} bytes.` })
}

async function readBytes(req: IncomingMessage, limitBytes: number, large: LargeBody): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? 0)
  if (declared > limitBytes) throw tooLarge(limitBytes)
  if (declared > large.aboveBytes) large.take()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let total = 0
    const onData = (chunk: Buffer) => {
      const before = total
      total += chunk.length
      if (total > limitBytes) return settle(() => reject(tooLarge(limitBytes)))
      chunks.push(chunk)
      if (declared > large.aboveBytes || before > large.aboveBytes || total <= large.aboveBytes) return
      try {
        large.take()
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const onEnd = () => settle(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    const onGone = () => {
      settle(() =>
        reject(
          new HoldfastError('REQUEST_INVALID', { detail: 'The client disconnected before the body was complete.' }),
        ),
      )
    }
    const settle = (act: () => void) => {
      req.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      // A reset may still be reported later; without a listener it would end the process.
      req.on('error', ignore)
      act()
    }
    if (req.destroyed) return onGone()
    req.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
  })
}

function ignore(): void {}

/** True when brackets are open more than `limit` deep; brackets inside strings do not count. */
function isDeeperThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) at = endOfString(text, at)
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > limit) return true
    } else if (char === 0x7d || char === 0x5d) depth--
  }
  return false
}

/** Not by `indexOf`: once V8 has optimized this, each call takes as long as the whole text is. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x5c) at++
    else if (char === 0x22) return at
  }
  return text.length
}

/** True when every string and key in the value is well-formed Unicode. The depth was checked before. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isWellFormed)
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner))
}
