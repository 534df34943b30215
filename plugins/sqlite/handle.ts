import Database from 'better-sqlite3'
import type { Row, Value, Written } from '../../src/driver/facet/statements.ts'
import { type FaultError, faultError } from '../../src/driver/kit/driver-kit.ts'
import { isReadOnlyRefusal, readOnlyError } from './faults.ts'
import type { Author } from './journal/author.ts'

/** The native client's own connection. */
export type Native = Database.Database

/** What a statement does, as far as its way is concerned. */
export type Kind = 'read' | 'write' | 'setting' | 'control'

/** A prepared statement and what is known of it. */
export interface Prepared {
  readonly statement: Database.Statement<unknown[], Row>
  readonly kind: Kind
  /** It gives rows. */
  readonly isReader: boolean
}

/** Distinct texts kept per handle: each holds native memory. */
const statementsMax = 500

/** One native connection with its prepared statements. */
export class Handle {
  readonly native: Native
  /** Who writes here, as a journal has it; null where none is kept. */
  author: Author | null = null
  readonly #cache: Map<string, Prepared> = new Map()
  readonly #echo: ((sql: string) => void) | undefined
  #isReadOnly = false
  #failure: FaultError | null = null

  constructor(native: Native, echo?: (sql: string) => void) {
    this.native = native
    this.#echo = echo
  }

  /** Why nothing can be done here any more; null while all is well, and after `close`. */
  get failure(): FaultError | null {
    return this.#failure
  }

  /**
   * Rolls back what is open. Never throws. False: even that failed, so the handle was closed; everything on it is `lost`
   * from then on, and the file must be reopened.
   */
  undo(): boolean {
    this.#failure ??= undo(this.native)
    return this.#failure === null
  }

  get isReadOnly(): boolean {
    return this.#isReadOnly
  }

  /** Whether SQLite itself refuses every change on this handle. Also inside an open transaction. */
  setReadOnly(on: boolean): void {
    if (this.native.open) this.native.pragma(`query_only = ${on ? 'on' : 'off'}`)
    this.#isReadOnly = on
  }

  /**
   * Runs a change of Holdfast's own in a transaction, also while the store accepts none. Synchronous, so that nothing else
   * is let through. @throws what `work` throws, and what the client throws; then nothing is changed.
   */
  alone<R>(work: () => R): R {
    if (this.#isReadOnly) this.native.pragma('query_only = off')
    try {
      this.native.exec('begin immediate')
      const result = work()
      this.native.exec('commit')
      return result
    } catch (error) {
      this.undo()
      throw error
    } finally {
      if (this.#isReadOnly && this.native.open) this.native.pragma('query_only = on')
    }
  }

  /** The error to throw for an error of this handle: a refusal that we asked for says nothing against the file. */
  errorFrom(error: unknown): unknown {
    if (this.#failure !== null && !this.native.open) return this.#failure
    return this.#isReadOnly && isReadOnlyRefusal(error) ? readOnlyError(error) : error
  }

  /**
   * Prepared once per text; the oldest text goes when there are too many.
   *
   * @throws FaultError for transactions and settings.
   */
  prepare(sql: string): Prepared {
    const known = this.#cache.get(sql)
    if (known !== undefined) return known
    const prepared = this.prepareOnce(sql)
    if (this.#cache.size >= statementsMax) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest)
        break
      }
    }
    this.#cache.set(sql, prepared)
    return prepared
  }

  /** For texts that hold their values and so never come again. @throws FaultError for transactions and settings. */
  prepareOnce(sql: string): Prepared {
    const kind = kindOf(sql)
    // Before it is prepared: SQLite carries out many a pragma while it compiles it.
    if (kind === 'setting' || kind === 'control') throw refusal()
    return this.prepareAny(sql)
  }

  /** Also for transactions and settings, of which many a one has happened when this returns. */
  prepareAny(sql: string): Prepared {
    const kind = kindOf(sql)
    // SQLite carries it out while it compiles it, even behind EXPLAIN.
    if (this.#isReadOnly && kind !== 'write' && /^(?:explain|pragma)\b[\s\S]*\bquery_only\b/i.test(bare(sql)))
      throw readOnlyError(null)
    const statement = this.native.prepare<unknown[], Row>(sql)
    return { statement, kind: kind === 'read' && !statement.readonly ? 'write' : kind, isReader: statement.reader }
  }

  /** The rows of a statement that gives some. */
  rows(sql: string, prepared: Prepared, values: readonly Value[]): readonly Row[] {
    this.#echo?.(sql)
    try {
      if (prepared.isReader) return prepared.statement.all(nativeValues(values))
      prepared.statement.run(nativeValues(values))
      return noRows
    } catch (error) {
      throw this.errorFrom(error)
    }
  }

  /** Runs a statement that may change something. */
  write(sql: string, prepared: Prepared, values: readonly Value[]): Written {
    this.#echo?.(sql)
    try {
      if (prepared.isReader) {
        const rows = prepared.statement.all(nativeValues(values))
        return { rows, changed: prepared.kind === 'write' ? rows.length : 0 }
      }
      return { rows: noRows, changed: prepared.statement.run(nativeValues(values)).changes }
    } catch (error) {
      throw this.errorFrom(error)
    }
  }

  /** Reports a statement's text (ECHO_SQL). */
  note(sql: string): void {
    this.#echo?.(sql)
  }

  /** Safe to call twice. */
  close(): void {
    this.#cache.clear()
    if (this.native.open) this.native.close()
  }
}

const noRows: readonly Row[] = Object.freeze([])

/** Booleans and dates are what MikroORM's SQLite platform makes of them: 0 or 1, milliseconds. Copies only when needed. */
export function nativeValues(values: readonly unknown[]): readonly unknown[] {
  for (const value of values) {
    if (typeof value === 'boolean' || value instanceof Date) return values.map(nativeValue)
  }
  return values
}

function nativeValue(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0
  return value instanceof Date ? value.getTime() : value
}

/** Pragmas that only report; with an argument in parentheses, the others are settings. */
const reportingPragmas = new Set([
  'table_info',
  'table_xinfo',
  'table_list',
  'index_list',
  'index_info',
  'index_xinfo',
  'foreign_key_list',
  'foreign_key_check',
  'quick_check',
  'integrity_check',
])

/** Pragmas that work although they have no argument. */
const workingPragmas = new Set(['wal_checkpoint', 'optimize', 'incremental_vacuum', 'shrink_memory'])

function refusal(): Error {
  return faultError(
    'statement',
    'SQLITE_STATEMENT_REFUSED',
    'Transactions and settings cannot be run as native statements.',
    'Use em.transactional() or em.begin(), and em.execute() for a setting.',
  )
}

/** The text from its first word on. */
function bare(sql: string): string {
  return sql.replace(/^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|[(;])+/, '')
}

/**
 * By the first word: SQLite calls BEGIN, COMMIT and some pragmas "read-only". Where the word says nothing (WITH), it is
 * taken for reading, and the prepared statement says otherwise.
 */
export function kindOf(sql: string): Kind {
  const text = bare(sql)
  const word = /^[a-z]+/i.exec(text)?.[0].toLowerCase() ?? ''
  switch (word) {
    case 'begin':
    case 'commit':
    case 'end':
    case 'rollback':
    case 'savepoint':
    case 'release':
      return 'control'
    case 'attach':
    case 'detach':
      return 'setting'
    case 'pragma':
      return pragmaKind(text)
    case 'select':
    case 'values':
    case 'explain':
    case 'with':
      return 'read'
    default:
      return 'write'
  }
}

function pragmaKind(text: string): Kind {
  const match = /^pragma\s+(?:[\w"]+\.)?(\w+)\s*(\(|=)?/i.exec(text)
  const name = match?.[1]?.toLowerCase() ?? ''
  if (match?.[2] === '=' || workingPragmas.has(name)) return 'setting'
  return match?.[2] === '(' && !reportingPragmas.has(name) ? 'setting' : 'read'
}

/** How a handle is set; each value is read back, because SQLite ignores what it does not know. */
export interface HandleSettings {
  readonly synchronous: 'normal' | 'full'
}

let isLoaded = false

/**
 * Opens a native connection with no busy timeout: SQLite's blocks the event loop.
 *
 * @throws what the client throws; `classify` reads it.
 */
export function openNative(file: string, options: { readonly?: boolean; mustExist?: boolean } = {}): Native {
  const open = (): Native =>
    new Database(file, {
      timeout: 0,
      readonly: options.readonly ?? false,
      fileMustExist: options.mustExist ?? false,
    })
  if (isLoaded) return open()
  isLoaded = true
  return withoutNetwork(open)
}

/**
 * Loads the client, which finds its library by a report of the process: unless excluded, Node asks the name server for the
 * host of each open socket and waits for the answers.
 */
function withoutNetwork<R>(load: () => R): R {
  const before: unknown = Reflect.get(process.report, 'excludeNetwork')
  Reflect.set(process.report, 'excludeNetwork', true)
  try {
    return load()
  } finally {
    Reflect.set(process.report, 'excludeNetwork', before)
  }
}

/** Sets what every connection of ours has, and reads it back. */
export function applySettings(native: Native, settings: HandleSettings): void {
  native.pragma(`synchronous = ${settings.synchronous}`)
  // Without it, INSERT OR REPLACE deletes rows without running their triggers.
  native.pragma('recursive_triggers = on')
  native.pragma('foreign_keys = on')
  const wanted = { synchronous: settings.synchronous === 'full' ? 2 : 1, recursive_triggers: 1, foreign_keys: 1 }
  for (const [name, value] of Object.entries(wanted)) {
    if (native.pragma(name, { simple: true }) === value) continue
    const summary = `SQLite did not apply the setting "${name}".`
    throw faultError(
      'configuration',
      'SQLITE_SETTING_REFUSED',
      summary,
      'Use the SQLite build that comes with this driver.',
    )
  }
}

/** Rolls an open transaction back. Never throws; null, or why the connection was closed. */
export function undo(native: Native): FaultError | null {
  if (!native.open || !native.inTransaction) return null
  try {
    native.exec('rollback')
    return null
  } catch (cause) {
    try {
      native.close()
    } catch {
      // It stays busy; no caller gets it any more.
    }
    const summary = 'A failed transaction could not be rolled back in the SQLite file.'
    const hint = 'Holdfast reopens and checks it; check the system log for disk errors.'
    return faultError('lost', 'SQLITE_ROLLBACK_FAILED', summary, hint, { cause })
  }
}
