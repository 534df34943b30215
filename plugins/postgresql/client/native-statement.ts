import type { Connection, CustomTypesConfig, FieldDef, Submittable } from 'pg'
import type { Row, Value, Written } from '../../../src/driver/facet/statements.ts'
import type { Corkable } from './internals.ts'

/** How a column of a statement is read. */
interface ColumnReader {
  readonly name: string
  readonly parse: (text: string) => unknown
}

/** The columns of an answer. */
type Columns = readonly ColumnReader[]

/**
 * The statements that one connection has prepared, by name, with the columns of their answers: the server refuses one whose
 * columns have changed.
 */
export type PreparedStatements = Map<string, Columns>

interface Copying {
  sendCopyFail(why: string): void
}

/** What a statement is run with. */
export interface NativeParts {
  readonly text: string
  readonly values: readonly Value[]
  /** Prepared under this name; undefined: not at all. */
  readonly name: string | undefined
  readonly prepared: PreparedStatements
  readonly types: CustomTypesConfig
  readonly done: (error: unknown, answer?: Written) => void
}

const none: Columns = []

/**
 * A statement as pg's client submits it. It costs half of pg's own query: it asks for the columns only when it is prepared,
 * and reads a row once. Not for COPY, which ends the connection: the server would take the next statement for its data.
 */
export class NativeStatement implements Submittable {
  readonly #parts: NativeParts
  readonly #rows: Row[] = []
  #values: (string | Buffer | null)[] = []
  #columns: Columns
  #isPreparing = false
  #changed = 0
  #error: unknown = null

  constructor(parts: NativeParts) {
    this.#parts = parts
    this.#columns = none
  }

  /** Called by pg's client when it is this statement's turn. Returns why nothing was sent. */
  submit(connection: Connection): Error | undefined {
    const { name, prepared } = this.#parts
    try {
      this.#values = this.#parts.values.map(encoded)
    } catch (error) {
      return error as Error // The RangeError of an invalid date.
    }
    const known = name === undefined ? undefined : prepared.get(name)
    const stream: Corkable = connection.stream
    // One write for all messages.
    stream.cork?.()
    if (known !== undefined) {
      this.#columns = known
      this.#bind(connection, name)
    } else {
      this.#isPreparing = name !== undefined
      // The name is in use where only its execution failed, or where a statement before this one prepares the same.
      if (name !== undefined) connection.close({ type: 'S', name }, true)
      this.#prepare(connection, name ?? '')
    }
    connection.execute(null, true)
    connection.sync()
    stream.uncork?.()
    return undefined
  }

  handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }): void {
    const { types } = this.#parts
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: types.getTypeParser(dataTypeID, 'text') }))
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    try {
      const row: Record<string, unknown> = {}
      let at = 0
      for (const { name, parse } of this.#columns) {
        const text = fields[at++] ?? null
        row[name] = text === null ? null : parse(text)
      }
      this.#rows.push(row)
    } catch (error) {
      this.#error ??= error
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    // "INSERT 0 1", "UPDATE 3".
    this.#changed = Number(text.slice(text.lastIndexOf(' ') + 1)) || 0
  }

  /** Of a text without a statement. */
  handleEmptyQuery(): void {}

  /** COPY ... FROM STDIN; the server ignored what was sent behind it. */
  handleCopyInResponse(connection: Connection): void {
    const copying = connection as Connection & Copying // Not in pg's types.
    copying.sendCopyFail('A native statement has no data to copy.')
    connection.sync()
  }

  /** COPY ... TO STDOUT, whose lines are not rows. */
  handleCopyData(): void {}

  handleReadyForQuery(): void {
    this.#endPreparing(this.#columns)
    if (this.#error !== null) this.#parts.done(this.#error)
    else this.#parts.done(null, { rows: this.#rows, changed: this.#changed })
  }

  handleError(error: unknown): void {
    this.#endPreparing(null)
    this.#parts.done(error)
  }

  #prepare(connection: Connection, name: string): void {
    connection.parse({ name, text: this.#parts.text, types: [] }, true)
    this.#bind(connection, name)
    connection.describe({ type: 'P' }, true)
  }

  #bind(connection: Connection, statement: string | undefined): void {
    connection.bind({ statement, values: this.#values }, true)
  }

  #endPreparing(columns: Columns | null): void {
    const { name, prepared } = this.#parts
    if (!this.#isPreparing || name === undefined) return
    if (columns === null) prepared.delete(name)
    else prepared.set(name, columns)
  }
}

/** A value as the server reads it: text, or bytes. @throws RangeError for an invalid date. */
export function encoded(value: Value): string | Buffer | null {
  if (value === null || typeof value === 'string') return value
  if (value instanceof Date) return dateText(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return String(value)
}

/** As pg writes a date: in local time with its offset, which a column without a time zone ignores. */
function dateText(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1)
  // In UTC where the local year has not four digits, as the first hours of year 1 west of Greenwich.
  if (offset === 0 || !/^(?!0000)\d{4}-/.test(local)) return date.toISOString()
  const minutes = Math.abs(offset)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
