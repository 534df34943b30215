import type { Duplex } from 'node:stream'
import { getHeapStatistics } from 'node:v8'

/** The largest row, or piece of a COPY. PostgreSQL could send a gigabyte, which is kept until it is whole. */
const rowLimitBytes = 256 * 1_024 * 1_024

/** The largest message of any other kind; the longest are errors that repeat a value. */
const messageLimitBytes = 16 * 1_024 * 1_024

/** The largest answer in rows: all of them are kept until the last one is there. */
const answerLimitBytes = getHeapStatistics().heap_size_limit / 4

/** The largest login: all that comes before the server is ready for the first statement. */
const loginLimitBytes = 1_024 * 1_024

/** The memory of a row besides its values, at least. */
const rowBytes = 200

/** Type and length. */
const headBytes = 5

/** Every message from a server in protocol 3.0, by its letter. */
const letters: ReadonlySet<number> = new Set(Buffer.from('123ACDEGHIKNRSTWZcdnst'))
const rows: ReadonlySet<number> = new Set(Buffer.from('Dd'))
const lists: ReadonlySet<number> = new Set(Buffer.from('EN'))

/** They end an answer, or the portion of it that was asked for. */
const ends: ReadonlySet<number> = new Set(Buffer.from('Zs'))

/**
 * Checks the messages of a server before pg's parser, which trusts each of them. What is met behind a real address:
 * - another service on the port. The greeting of a MySQL, when it has 78 bytes, is a notice whose fields have no end: the
 *   parser reads it for ever, and nothing else in this process runs again. The first words of a web server are a message
 *   of a gigabyte, for which it waits;
 * - a pooler or a server that speaks the protocol with mistakes: an exception of the parser would end the process;
 * - a server that is well, with an answer larger than this process can keep.
 */
export class Framing {
  readonly #head = Buffer.alloc(headBytes)
  #headFilled = 0
  #isList = false
  #left = 0
  #last = 0
  #answer = 0
  #isReady = false

  /** Reads the next bytes. @throws BrokenError when no PostgreSQL sends them; then nothing may follow. */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at = this.#left === 0 ? this.#readHead(bytes, at) : this.#readBody(bytes, at)
  }

  #readHead(bytes: Buffer, at: number): number {
    if (this.#headFilled === 0 && bytes.length - at >= headBytes) {
      this.#begin(bytes[at] ?? 0, bytes.readUInt32BE(at + 1))
      return at + headBytes
    }
    const end = Math.min(bytes.length, at + headBytes - this.#headFilled)
    this.#headFilled += bytes.copy(this.#head, this.#headFilled, at, end)
    if (this.#headFilled === headBytes) {
      this.#headFilled = 0
      this.#begin(this.#head[0] ?? 0, this.#head.readUInt32BE(1))
    }
    return end
  }

  #begin(letter: number, length: number): void {
    const limit = rows.has(letter) ? rowLimitBytes : messageLimitBytes
    this.#isList = lists.has(letter)
    if (!letters.has(letter) || length < (this.#isList ? headBytes : 4) || length > limit) throw brokenError()
    if (ends.has(letter)) {
      this.#answer = 0
      this.#isReady = true
    } else if (rows.has(letter) || !this.#isReady) this.#answer += length + rowBytes
    if (!this.#isReady && this.#answer > loginLimitBytes) throw brokenError()
    if (this.#answer > answerLimitBytes) throw tooLargeError()
    this.#left = length - 4
    this.#last = 0
  }

  #readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    if (this.#isList) {
      const last = bytes[end - 1] ?? 0
      const before = end - at > 1 ? bytes[end - 2] : this.#last
      // The end of the last field, and that of the list.
      if (this.#left === 0 && (last !== 0 || before !== 0)) throw brokenError()
      this.#last = last
    }
    return end
  }
}

/** Members of pg's connection that its types leave out, as version 8.23 has them. */
interface Internals {
  readonly stream: Duplex
  attachListeners(stream: Pick<Duplex, 'on'>): void
  emit(event: 'error', error: Error): void
}

/** Puts a Framing before pg's parser, on a connection that has not connected yet. What either throws ends the connection. */
export function guardMessages(connection: unknown): void {
  const inner = connection as Internals // See `Internals`.
  const attach = inner.attachListeners.bind(inner)
  inner.attachListeners = (stream) => {
    const framing = new Framing()
    let isBroken = false
    const guarded = (take: (bytes: Buffer) => void) => (bytes: Buffer) => {
      if (isBroken) return
      try {
        framing.read(bytes)
        take(bytes)
      } catch (error) {
        isBroken = true
        inner.emit('error', error instanceof BrokenError ? error : brokenError())
        inner.stream.destroy()
      }
    }
    const on = (event: string, listener: (bytes: Buffer) => void): Duplex =>
      stream.on(event, event === 'data' ? guarded(listener) : listener)
    attach({ on } as Pick<Duplex, 'on'>) // pg uses nothing else of it, for "data" and "end" only.
  }
}

/** An error that `classify` knows by its code. */
class BrokenError extends Error {
  readonly code: 'PROTOCOL_BROKEN' | 'ANSWER_TOO_LARGE'

  constructor(code: BrokenError['code'], message: string) {
    super(message)
    this.code = code
  }
}

function brokenError(): BrokenError {
  return new BrokenError('PROTOCOL_BROKEN', 'The server sent something that is not a message of PostgreSQL.')
}

function tooLargeError(): BrokenError {
  return new BrokenError(
    'ANSWER_TOO_LARGE',
    'The rows of one answer would take a quarter of the memory of this process.',
  )
}
