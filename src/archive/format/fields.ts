import { FormatError } from './format-error.ts'
import { archiveFormat } from './names.ts'

/** Most bytes of a record: a manifest has 150 bytes for each part and table. */
const recordBytesMax = 16 * 1024 ** 2

/** The fields of a JSON object, read with checks; every failure is a `FormatError` that names the object's key. */
export class Fields {
  readonly key: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(key: string, value: unknown) {
    this.key = key
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#wrong('is not a record')
    // Checked above: an object of JSON has names and values of any kind.
    this.#values = value as Readonly<Record<string, unknown>>
  }

  /** The fields of a record's bytes. Its `format`, where it has one, is one that this release reads. */
  static parse(key: string, bytes: Uint8Array): Fields {
    if (bytes.byteLength > recordBytesMax) throw new FormatError('damaged', key, 'is too large for a record')
    let value: unknown
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (error) {
      throw new FormatError('damaged', key, 'is not valid JSON', error)
    }
    return new Fields(key, value).#checkFormat()
  }

  text(name: string): string {
    const value = this.#values[name]
    if (typeof value !== 'string' || value === '') throw this.#wrong(`has no text "${name}"`)
    return value
  }

  textOrNull(name: string): string | null {
    return this.#values[name] === null ? null : this.text(name)
  }

  /** A whole number that is not negative. */
  count(name: string): number {
    const value = this.#values[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw this.#wrong(`has no number "${name}"`)
    return value
  }

  /** Milliseconds, with fractions. */
  duration(name: string): number {
    const value = this.#values[name]
    if (typeof value !== 'number' || !(value >= 0)) throw this.#wrong(`has no number "${name}"`)
    return value
  }

  flag(name: string): boolean {
    const value = this.#values[name]
    if (typeof value !== 'boolean') throw this.#wrong(`has no "${name}" that is true or false`)
    return value
  }

  /** One of these words. */
  word<T extends string>(name: string, words: readonly T[]): T {
    const value = words.find((word) => word === this.#values[name])
    if (value === undefined) throw this.#wrong(`has an unknown "${name}"`)
    return value
  }

  /** A SHA-256 in hex. */
  hash(name: string): string {
    const value = this.text(name)
    if (!/^[0-9a-f]{64}$/.test(value)) throw this.#wrong(`has no SHA-256 "${name}"`)
    return value
  }

  hashOrNull(name: string): string | null {
    return this.#values[name] === null ? null : this.hash(name)
  }

  /** A time in ISO 8601. */
  time(name: string): string {
    const value = this.text(name)
    if (Number.isNaN(Date.parse(value))) throw this.#wrong(`has no time "${name}"`)
    return value
  }

  /** A flat record of plain values. */
  plainOrNull(name: string): Readonly<Record<string, string | number | boolean | null>> | null {
    const value = this.#values[name]
    if (value === null) return null
    const plain: Record<string, string | number | boolean | null> = {}
    if (typeof value !== 'object' || value === undefined || Array.isArray(value)) throw this.#wrong(`has no "${name}"`)
    for (const [field, one] of Object.entries(value)) {
      if (one !== null && typeof one !== 'string' && typeof one !== 'number' && typeof one !== 'boolean')
        throw this.#wrong(`has an odd "${name}"`)
      plain[field] = one
    }
    return plain
  }

  /** Each item of a list, as fields. */
  list<T>(name: string, read: (item: Fields) => T): readonly T[] {
    const value = this.#values[name]
    if (!Array.isArray(value)) throw this.#wrong(`has no list "${name}"`)
    return value.map((item: unknown) => read(new Fields(this.key, item)))
  }

  #checkFormat(): this {
    const { format } = this.#values
    if (format !== undefined && this.count('format') > archiveFormat)
      throw new FormatError(
        'newer',
        this.key,
        `has format ${this.count('format')}, and this release reads ${archiveFormat}`,
      )
    return this
  }

  #wrong(why: string): FormatError {
    return new FormatError('damaged', this.key, why)
  }
}

/** A record as the bytes of its object. */
export function recordBytes(record: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(record)}\n`)
}
