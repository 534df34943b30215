import { randomUUID } from 'node:crypto'
import type { Problem } from '../../config/problem.ts'
import type { Facts, Want } from '../driver.ts'
import type { Row } from '../facet/statements.ts'
import type { Phase } from '../fault.ts'

/** The format of Holdfast's own tables that this release writes. */
export const ownFormat = 1

/** About 64 KiB of rows, on PostgreSQL and on MariaDB. */
const proofRows = 800

/** Every problem with Holdfast's own tables, by its code; documentation and tests read it. */
export const ownTablesProblems = {
  OWN_TABLES_MISSING: "Holdfast's own tables are not in the primary and may not be created there.",
  FORMAT_NEWER: "A later release created Holdfast's own tables in the primary.",
} as const

/** A connection that runs one statement at a time. */
export interface TablesClient {
  run(
    text: string,
    values?: readonly unknown[],
    options?: { readonly phase?: Phase },
  ): Promise<{ rows: readonly Row[] }>
}

/** The SQL of Holdfast's own tables in one kind of database. */
export interface OwnTablesDialect<C extends TablesClient> {
  /** DDL that creates each table unless it exists. */
  readonly statements: readonly string[]
  /** Inserts the identity, unless there is one; its values are an id and the format. */
  readonly insertIdentity: string
  /** Runs `create` while no other process does, where DDL needs that. */
  alone?(client: C, create: () => Promise<void>): Promise<void>
  /** True when the user lacks the right. */
  isDenied(error: unknown): boolean
  /** True when proofs that ran at the same time blocked each other, and this one was rolled back; never where absent. */
  isDeadlock?(error: unknown): boolean
}

/** What a proof knows of the own tables before it asks for them. Null: unknown. */
export interface TablesRights {
  /** Both tables exist. */
  readonly exist: boolean
  readonly mayCreate: boolean | null
  readonly mayRead: boolean | null
  readonly mayWrite: boolean | null
}

/** The part of `Facts` that the own tables decide. */
export type TablesFacts = Required<Pick<Facts, 'ownTables' | 'problems'>>

/** Holdfast's own tables on one connection: `holdfast_identity` and `holdfast_attempt`. */
export class OwnTables<C extends TablesClient> {
  readonly #client: C
  readonly #dialect: OwnTablesDialect<C>
  readonly #target: Pick<Problem, 'setting' | 'origin'> & { readonly mayMakeTables: boolean }
  readonly #remedy: string

  /** `remedy` is the SQL for an administrator: tables, identity and grants. */
  constructor(
    client: C,
    dialect: OwnTablesDialect<C>,
    target: Pick<Problem, 'setting' | 'origin'> & { readonly mayMakeTables: boolean },
    remedy: string,
  ) {
    this.#client = client
    this.#dialect = dialect
    this.#target = target
    this.#remedy = remedy
  }

  /** Reports what can be seen without changing anything; tables that are merely not created yet are no problem. */
  async look({ exist, mayCreate, mayRead, mayWrite }: TablesRights): Promise<TablesFacts> {
    if (!exist) {
      const why = this.#whyNotCreated(mayCreate)
      return why === null ? { ownTables: 'absent', problems: [] } : this.#missing(why)
    }
    try {
      if (mayRead === false) return this.#missing(notWritable)
      const format = (await this.#format()) ?? ownFormat
      if (format > ownFormat) return this.#newer(format)
      return mayWrite === false ? this.#missing(notWritable) : { ownTables: 'ours', problems: [] }
    } catch (error) {
      if (!this.#dialect.isDenied(error)) throw error
      return this.#missing(notWritable)
    }
  }

  /** Creates what is missing and may be created; for the proof `write`, commits a write that leaves nothing. */
  async prove(want: Want, { exist, mayCreate }: Pick<TablesRights, 'exist' | 'mayCreate'>): Promise<TablesFacts> {
    const why = exist ? null : this.#whyNotCreated(mayCreate)
    if (why !== null) return this.#missing(why)
    try {
      if (!exist) await this.#create()
      let format = await this.#format()
      // An administrator, or a process that ended half-way, created the tables without a row.
      if (format === null && this.#target.mayMakeTables) {
        await this.#identify()
        format = await this.#format()
      }
      if (format !== null && format > ownFormat) return this.#newer(format)
      if (want.proof === 'write') await this.#write()
      return { ownTables: 'ours', problems: [] }
    } catch (error) {
      // Anything else says something about the database.
      if (!this.#dialect.isDenied(error)) throw error
      return this.#missing(exist ? notWritable : notCreatable)
    }
  }

  #whyNotCreated(mayCreate: boolean | null): string | null {
    if (!this.#target.mayMakeTables) return 'SCHEMA_APPLY=none creates none'
    return mayCreate === false ? notCreatable : null
  }

  async #create(): Promise<void> {
    const { statements, alone } = this.#dialect
    const create = async (): Promise<void> => {
      for (const statement of statements) await this.#client.run(statement)
      await this.#identify()
    }
    await (alone === undefined ? create() : alone(this.#client, create))
  }

  /** Another process may have been first: its row is the identity. */
  async #identify(): Promise<void> {
    await this.#client.run(this.#dialect.insertIdentity, [randomUUID(), ownFormat])
  }

  /** Null: no identity exists yet. */
  async #format(): Promise<number | null> {
    const { rows } = await this.#client.run('select format from holdfast_identity', [], { phase: 'open' })
    return rows[0] === undefined ? null : Number(rows[0].format ?? ownFormat)
  }

  /**
   * Commits attempts that take as much room as a large row, and removes them again in the same transaction: on a full disk
   * one small row may still fit where an older one was.
   */
  async #write(triesLeft = 5): Promise<void> {
    const ids = Array.from({ length: proofRows }, () => `'${randomUUID()}'`)
    try {
      await this.#client.run('begin')
      await this.#client.run(`insert into holdfast_attempt (id) values (${ids.join('), (')})`)
      await this.#client.run(`delete from holdfast_attempt where id in (${ids.join(', ')})`)
      await this.#client.run('commit')
    } catch (error) {
      // A proof may be repeated on the same connection.
      await this.#client.run('rollback').catch(() => {})
      if (triesLeft === 1 || this.#dialect.isDeadlock?.(error) !== true) throw error
      await this.#write(triesLeft - 1)
    }
  }

  #newer(format: number): TablesFacts {
    const message = `Holdfast's own tables in the database have format ${format}; this release writes ${ownFormat}. The primary serves; its fallback accepts no writes.`
    return {
      ownTables: 'newer',
      problems: [this.#problem('FORMAT_NEWER', message, 'Run the later release everywhere.')],
    }
  }

  #missing(why: string): TablesFacts {
    const message = `Holdfast's own tables are not usable: ${why}. The primary serves; its fallback accepts no writes.`
    const suggestion = `As the owner of the database run: ${this.#remedy}`
    return { ownTables: 'absent', problems: [this.#problem('OWN_TABLES_MISSING', message, suggestion)] }
  }

  #problem(code: keyof typeof ownTablesProblems, message: string, suggestion: string): Problem {
    const { setting, origin } = this.#target
    return { code, severity: 'warning', setting, origin, part: null, message, suggestion }
  }
}

const notCreatable = 'the user may not create tables there'
const notWritable = 'the user may not read and write them'
