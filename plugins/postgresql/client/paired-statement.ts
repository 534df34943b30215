import type { Connection, CustomTypesConfig, FieldDef, Submittable } from 'pg'
import type { Row, Statement, Written } from '../../../src/driver/facet/statements.ts'
import { commonError, requestKnownCode } from '../../../src/driver/kit/driver-kit.ts'
import { isTaken } from '../faults.ts'
import type { Corkable } from './internals.ts'
import { encoded, type PreparedStatements } from './native-statement.ts'

/** One of two statements. */
export interface PairStep extends Statement {
  /** Prepared under this name; undefined: not at all. */
  readonly name: string | undefined
}

/** What a pair is run with. */
export interface PairParts {
  readonly steps: readonly [first: PairStep, second: PairStep]
  readonly prepared: PreparedStatements
  readonly types: CustomTypesConfig
  readonly done: (error: unknown, answer?: Written) => void
}

type Columns = NonNullable<ReturnType<PreparedStatements['get']>>

/** A step as it was sent. */
interface SentStep {
  readonly name: string | undefined
  readonly isPreparing: boolean
  columns: Columns
}

/**
 * Two statements in one round trip: what is sent up to one SYNC is one transaction, and the server leaves out what follows an
 * error. As `NativeStatement` otherwise.
 */
export class PairedStatement implements Submittable {
  readonly #parts: PairParts
  readonly #rows: Row[] = []
  #sent: readonly SentStep[] = []
  /** The step that is answered. */
  #at = 0
  #changed = 0
  #error: unknown = null

  constructor(parts: PairParts) {
    this.#parts = parts
  }

  /** Called by pg's client when it is this pair's turn. Returns why nothing was sent. */
  submit(connection: Connection): Error | undefined {
    const { steps } = this.#parts
    let values: readonly (string | Buffer | null)[][]
    try {
      values = steps.map((step) => step.values.map(encoded))
    } catch (error) {
      return error as Error // The RangeError of an invalid date.
    }
    const stream: Corkable = connection.stream
    // One write for all messages.
    stream.cork?.()
    this.#sent = steps.map((step, at) => this.#send(connection, step, values[at] ?? []))
    connection.sync()
    stream.uncork?.()
    return undefined
  }

  handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }): void {
    const { types } = this.#parts
    const step = this.#sent[this.#at]
    if (step === undefined) return
    step.columns = fields.map(({ name, dataTypeID }) => ({ name, parse: types.getTypeParser(dataTypeID, 'text') }))
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this.#at === 0) return
    try {
      const row: Record<string, unknown> = {}
      for (const [at, { name, parse }] of (this.#sent[1]?.columns ?? []).entries()) {
        const text = fields[at] ?? null
        row[name] = text === null ? null : parse(text)
      }
      this.#rows.push(row)
    } catch (error) {
      this.#error ??= error
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#changed = Number(text.slice(text.lastIndexOf(' ') + 1)) || 0
    this.#at += 1
  }

  handleReadyForQuery(): void {
    this.#endPreparing(true)
    if (this.#error !== null) this.#parts.done(this.#error)
    else this.#parts.done(null, { rows: this.#rows, changed: this.#changed })
  }

  handleError(error: unknown): void {
    this.#endPreparing(false)
    const isKnown = this.#at === 0 && isTaken(error)
    this.#parts.done(isKnown ? commonError('requestKnown', requestKnownCode, { cause: error }) : error)
  }

  #send(connection: Connection, { sql, name }: PairStep, values: (string | Buffer | null)[]): SentStep {
    const known = name === undefined ? undefined : this.#parts.prepared.get(name)
    if (known === undefined) {
      // The name is in use where only its execution failed, or where a statement before this one prepares the same.
      if (name !== undefined) connection.close({ type: 'S', name }, true)
      connection.parse({ name: name ?? '', text: sql, types: [] }, true)
    }
    connection.bind({ statement: name, values }, true)
    if (known === undefined) connection.describe({ type: 'P' }, true)
    connection.execute(null, true)
    return { name, isPreparing: known === undefined && name !== undefined, columns: known ?? [] }
  }

  #endPreparing(isDone: boolean): void {
    for (const { name, isPreparing, columns } of this.#sent) {
      if (!isPreparing || name === undefined) continue
      if (isDone) this.#parts.prepared.set(name, columns)
      else this.#parts.prepared.delete(name)
    }
  }
}
