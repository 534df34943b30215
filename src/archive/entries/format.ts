import { createHash } from 'node:crypto'
import type { Image } from '../../driver/facet/image.ts'
import type { Entry, JournalPortion } from '../../driver/facet/journal.ts'
import { archiveFormat, entriesAddressKey, entriesFolder, entriesKey } from '../format/names.ts'

/** The first line of an object with entries; each line behind it is an `Entry`. */
export interface EntriesHead {
  readonly format: number
  /** Who wrote it: a UUIDv7 of the process. */
  readonly process: string
  /** The id of the journal's file. */
  readonly file: string
  /** The primary that the entries are for; null: the one of `address.json`, else the first one that is reached. */
  readonly identity: string | null
  /** The primary's name, for people. */
  readonly label: string | null
  readonly first: number
  readonly last: number
  /** Where a transaction is too large for one object: which part this is, of how many, and the last sequence of all of them. */
  readonly part: number
  readonly parts: number
  readonly whole: number
  readonly entries: number
  /** ISO 8601. */
  readonly at: string
  /** SHA-256, in hex, of this line without its hash and all lines behind it. */
  readonly hash: string
}

/** `entries/<process>/address.json`. */
export interface EntriesAddress {
  readonly format: number
  readonly identity: string
  /** The primary's name, for people. */
  readonly label: string | null
}

/** An object with entries, ready to be stored. */
export interface PackedEntries {
  readonly key: string
  readonly head: EntriesHead
  readonly body: Uint8Array
}

/** What became of reading an object. `why`: a sentence. */
export type EntriesRead =
  | { readonly is: 'read'; readonly head: EntriesHead; readonly entries: readonly Entry[] }
  | { readonly is: 'newer'; readonly format: number }
  | { readonly is: 'damaged'; readonly why: string }

/** An object in the folder of a process, as its name says. */
export interface NamedEntries {
  readonly key: string
  readonly process: string
  readonly first: number
  readonly last: number
}

/** An entry as a line. */
export function lineOf(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`
}

/** Makes an object of entries and their lines, or one of the parts of a transaction. At least one entry. */
export function packEntries(
  from: { readonly process: string; readonly file: string; readonly at: Date },
  { identity, label, entries }: JournalPortion,
  lines: readonly string[],
  of: Pick<EntriesHead, 'part' | 'parts' | 'whole'> | null = null,
): PackedEntries {
  const text = Buffer.from(lines.join(''))
  const [first, last] = [entries[0]?.sequence ?? 0, entries.at(-1)?.sequence ?? 0]
  const { part, parts, whole } = of ?? { part: 1, parts: 1, whole: last }
  const head: EntriesHead = {
    ...{ format: archiveFormat, process: from.process, file: from.file, identity, label, first, last },
    ...{ part, parts, whole, entries: entries.length, at: from.at.toISOString(), hash: '' },
  }
  const sealed = { ...head, hash: hashOf(head, text) }
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(sealed)}\n`), text])
  return { key: entriesKey(from.process, first, last), head: sealed, body }
}

/** Reads an object; the name says what must be in it. Never throws. */
export function readEntries(named: NamedEntries, body: Uint8Array): EntriesRead {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const end = bytes.indexOf(0x0a)
  const head = parsed(bytes.subarray(0, Math.max(0, end)).toString())
  if (!isHead(head)) return { is: 'damaged', why: 'Its first line is not what Holdfast writes.' }
  if (head.format > archiveFormat) return { is: 'newer', format: head.format }
  if (head.process !== named.process || head.first !== named.first || head.last !== named.last) {
    return { is: 'damaged', why: 'It is not the object that its name says.' }
  }
  const text = bytes.subarray(end + 1)
  if (hashOf(head, text) !== head.hash) return { is: 'damaged', why: 'Its content does not match its hash.' }
  const entries = text
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map(parsed)
  if (entries.length !== head.entries || !entries.every(isEntry)) {
    return { is: 'damaged', why: 'A line of it is not an entry.' }
  }
  return { is: 'read', head, entries }
}

/** `address.json` of a process, ready to be stored. */
export function packAddress(
  process: string,
  identity: string,
  label: string | null,
): { key: string; body: Uint8Array } {
  const address: EntriesAddress = { format: archiveFormat, identity, label }
  return { key: entriesAddressKey(process), body: Buffer.from(`${JSON.stringify(address)}\n`) }
}

/** Null: it is not one. */
export function readEntriesAddress(body: Uint8Array): EntriesAddress | null {
  const address = parsed(Buffer.from(body).toString())
  if (!isObject(address) || typeof address.identity !== 'string' || typeof address.format !== 'number') return null
  return { format: address.format, identity: address.identity, label: textOrNull(address.label) }
}

const namePattern = new RegExp(`^${entriesFolder}/([^/]+)/(\\d+)-(\\d+)\\.jsonl$`)

/** Null: no object of entries has such a name. */
export function namedEntries(key: string): NamedEntries | null {
  const [, process, first, last] = namePattern.exec(key) ?? []
  if (process === undefined) return null
  return { key, process, first: Number(first), last: Number(last) }
}

function hashOf(head: EntriesHead, text: Uint8Array): string {
  const line = JSON.stringify({ ...head, hash: '' })
  return createHash('sha256').update(`${line}\n`).update(text).digest('hex')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isHead(value: unknown): value is EntriesHead {
  if (!isObject(value) || typeof value.format !== 'number') return false
  // Whatever else a later format has is its own.
  if (value.format > archiveFormat) return true
  const areTexts = [value.process, value.file, value.at, value.hash].every((one) => typeof one === 'string')
  const areNumbers = [value.first, value.last, value.part, value.parts, value.whole, value.entries].every((one) =>
    Number.isSafeInteger(one),
  )
  return areTexts && areNumbers && isText(value.identity) && isText(value.label)
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false
  const { sequence, transaction, attempt, table, key, operation, base } = value
  const areTexts = [transaction, attempt, table, key].every((one) => typeof one === 'string')
  const isOperation = operation === 'insert' || operation === 'update' || operation === 'delete'
  return (
    Number.isSafeInteger(sequence) &&
    areTexts &&
    isOperation &&
    isText(base) &&
    isImage(value.old) &&
    isImage(value.new)
  )
}

function isImage(value: unknown): value is Image | null {
  return value === null || (isObject(value) && Object.values(value).every(isText))
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
