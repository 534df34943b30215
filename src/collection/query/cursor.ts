import { createHash } from 'node:crypto'
import { HoldfastError } from '../../errors.ts'
import type { FieldValue } from '../declaration/canonical.ts'
import type { Collection } from '../declaration/declaration.ts'
import { operandOfText } from '../filter/operand.ts'
import { fieldPath, type OperandType } from '../filter/paths.ts'
import { sealed, unsealed } from './cursor-seal.ts'
import type { PagePlace, SortKey } from './list-query.ts'
import { newestFirst, sortText } from './sort.ts'

/** The first byte of a cursor that has nothing but an id, of any collection: those of before sorts. */
const plainGeneration = 1

/** The first byte of a cursor that is bound to a collection and a sort. */
const generation = 2

/** The first byte of one whose rest no client can read. */
const sealedGeneration = 3

const hashBytes = 4
const headBytes = 1 + hashBytes
const idBytes = 16

/** Codecs that are kept for each collection: clients use few sorts. */
const maxKept = 32

const known = new WeakMap<Collection, Map<string, CursorCodec>>()

/** The codec for the cursors of a collection in one order. */
export function cursorCodec(collection: Collection, sort: readonly SortKey[]): CursorCodec {
  const text = sort === newestFirst ? '-id' : sortText(sort)
  let codecs = known.get(collection)
  if (codecs === undefined) {
    codecs = new Map()
    known.set(collection, codecs)
  }
  const kept = codecs.get(text)
  if (kept !== undefined) return kept
  const made = new CursorCodec(collection, sort)
  if (codecs.size >= maxKept) codecs.clear()
  codecs.set(text, made)
  return made
}

/**
 * Writes and reads cursors: a generation, a hash of collection and sort, the id, and the values of the other sort keys as text. A
 * cursor is a place and not a query, and its values are read like those of an address: so it needs no signature. Where the place
 * is a row that the caller may not see, it is sealed.
 */
export class CursorCodec {
  readonly #collection: Collection
  readonly #isPlain: boolean
  readonly #head: Buffer
  readonly #headHex: string
  /** Of the keys before the id. */
  readonly #types: readonly OperandType[]

  constructor(collection: Collection, sort: readonly SortKey[]) {
    const text = sortText(sort)
    this.#collection = collection
    this.#isPlain = text === '-id'
    const hash = createHash('sha256').update(`${collection.name} ${text}`).digest().subarray(0, hashBytes)
    this.#head = Buffer.concat([Buffer.of(generation), hash])
    this.#headHex = this.#head.toString('hex')
    this.#types = sort.slice(0, -1).map(({ field }) => fieldPath(collection, field))
  }

  /** The cursor of the page behind the row with these values of the sort keys. */
  encode({ after }: PagePlace): string {
    const id = String(after.at(-1)).replaceAll('-', '')
    const start = Buffer.from(this.#headHex + id, 'hex')
    if (this.#types.length === 0) return start.toString('base64url')
    const values = JSON.stringify(after.slice(0, -1).map(textOf))
    return Buffer.concat([start, Buffer.from(values)]).toString('base64url')
  }

  /** The same, for a row whose values the client may not know. */
  encodeSealed(place: PagePlace): string {
    const rest = Buffer.from(this.encode(place), 'base64url').subarray(headBytes)
    const head = this.#sealedHead
    return Buffer.concat([head, sealed(this.#collection, head, rest)]).toString('base64url')
  }

  /** Throws CURSOR_INVALID for anything that was not encoded for this collection and sort. */
  decode(cursor: string): PagePlace {
    const given = Buffer.from(cursor, 'base64url')
    if (given.toString('base64url') !== cursor) throw new HoldfastError('CURSOR_INVALID')
    const bytes = given[0] === sealedGeneration ? this.#opened(given) : given
    const isOld = this.#isPlain && bytes[0] === plainGeneration && bytes.length === 1 + idBytes
    if (isOld) return { after: [idIn(bytes, 1)] }
    const isOurs = bytes.subarray(0, headBytes).equals(this.#head) && bytes.length >= headBytes + idBytes
    const values = isOurs ? this.#values(bytes.toString('utf8', headBytes + idBytes)) : null
    if (values === null) throw new HoldfastError('CURSOR_INVALID')
    return { after: [...values, idIn(bytes, headBytes)] }
  }

  get #sealedHead(): Buffer {
    return Buffer.concat([Buffer.of(sealedGeneration), this.#head.subarray(1)])
  }

  #opened(given: Buffer): Buffer {
    const head = this.#sealedHead
    const isOurs = given.subarray(0, headBytes).equals(head)
    const rest = isOurs ? unsealed(this.#collection, head, given.subarray(headBytes)) : null
    if (rest === null) throw new HoldfastError('CURSOR_INVALID')
    return Buffer.concat([this.#head, rest])
  }

  #values(text: string): readonly FieldValue[] | null {
    if (this.#types.length === 0) return text === '' ? [] : null
    const given = parseList(text)
    if (given?.length !== this.#types.length) return null
    const values: FieldValue[] = []
    for (const [at, type] of this.#types.entries()) {
      const item = given[at]
      const value = typeof item === 'string' ? operandOfText(type, item) : null
      if (value === null && item !== null) return null
      values.push(value)
    }
    return values
  }
}

function parseList(text: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

function textOf(value: FieldValue): string | null {
  if (value === null) return null
  return value instanceof Date ? value.toISOString() : String(value)
}

function idIn(bytes: Buffer, start: number): string {
  const hex = bytes.toString('hex', start, start + idBytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
