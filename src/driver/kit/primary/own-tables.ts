import { randomUUID } from 'node:crypto'
import type { Problem } from '../../../config/problem.ts'
import type { Facts, Want } from '../../driver.ts'
import type { Row } from '../../facet/statements.ts'
import type { Phase } from '../../fault.ts'

/** The format of Holdfast's own tables that this release writes. */
export const ownFormat = 2

/** About 64 KiB of rows, on PostgreSQL and on MariaDB. */
const proofRows = 800

/** Every problem with Holdfast's own tables, by its code; documentation and tests read it. */
export const ownTablesProblems = {
  OWN_TABLES_MISSING: "Holdfast's own tables are not in the primary and may not be created there.",
  FORMAT_NEWER: "A later release created Holdfast's own tables in the primary.",
  REQUESTS_MISSING:
    'The table of requests with an Idempotency-Key is from an earlier release, and may not be changed. Such requests get 503.',
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
  /** DDL that changes tables of format 1 to the current format. */
  readonly upgrades: readonly string[]
  /** DDL that gives `holdfast_request` of an earlier release what it lacks; absent: the driver keeps no answers of requests. */
  readonly requestUpgrades?: readonly string[]
  /** True when a change of these was made before; never where absent. */
  isUpgraded?(error: unknown): boolean
  /** Statements that fail without the rights to the tables and change nothing; absent: `TablesRights.mayWrite` is known. */
  readonly probes?: readonly string[]
  /** Inserts the identity, unless there is one; its values are an id and the format. */
  readonly insertIdentity: string
  /** Runs `create` while no other process does, where DDL needs that. */
  alone?(client: C, create: () => Promise<void>): Promise<void>
  /** True when the user lacks the right. */
  isDenied(error: unknown): boolean
  /** True when proofs that ran at the same time blocked each other, and this one was rolled back; never where absent. */
  isDeadlock?(error: unknown): boolean
}

/** `older`: `holdfast_request` is there and lacks columns. */
export type RequestsState = 'whole' | 'older' | 'none'

/** What a proof knows of the own tables before it asks for them. Null: unknown. */
export interface TablesRights {
  /** `some`: `holdfast_identity` is there, others are not, as after a release of format 1. */
  readonly exist: 'all' | 'some' | 'none'
  /** Absent: it is not known, and no answers of requests are kept. */
  readonly requests?: RequestsState
  readonly mayCreate: boolean | null
  readonly mayRead: boolean | null
  readonly mayWrite: boolean | null
}

/** What tables that are there need. */
export interface Upgrade {
  readonly requests: RequestsState | undefined
  /** They have an earlier format. */
  readonly isOlder: boolean
}

const noUpgrade: Upgrade = { isOlder: false, requests: 'none' }

/** The part of `Facts` that the own tables decide. */
export type TablesFacts = Required<Pick<Facts, 'ownTables' | 'problems'>> & Pick<Facts, 'identity' | 'keepsRequests'>

/** The row of `holdfast_identity`. */
interface Identity {
  readonly id: string
  readonly format: number
}

/** Holdfast's own tables on one connection: `holdfast_identity`, `_attempt`, `_conflict` and `_request`. */
export class OwnTables<C extends TablesClient> {
  readonly #client: C
  readonly #dialect: OwnTablesDialect<C>
  readonly #target: Pick<Problem, 'setting' | 'origin'> & { readonly mayMakeTables: boolean }
  readonly #remedy: (upgrade: Upgrade) => string

  /** `remedy` is the SQL for an administrator: tables, identity and grants. */
  constructor(
    client: C,
    dialect: OwnTablesDialect<C>,
    target: Pick<Problem, 'setting' | 'origin'> & { readonly mayMakeTables: boolean },
    remedy: (upgrade: Upgrade) => string,
  ) {
    this.#client = client
    this.#dialect = dialect
    this.#target = target
    this.#remedy = remedy
  }

  /** Reports what can be seen without changing anything; tables that are merely not created yet are no problem. */
  async look({ exist, requests, mayCreate, mayRead, mayWrite }: TablesRights): Promise<TablesFacts> {
    if (exist === 'none') return this.#creatable(mayCreate, noUpgrade)
    try {
      if (mayRead === false) return this.#missing(notWritable)
      const found = await this.#identity()
      if (found !== null && found.format > ownFormat) return this.#newer(found.format)
      if (exist === 'some' || (found !== null && found.format < ownFormat)) {
        return this.#creatable(mayCreate, { isOlder: true, requests })
      }
      if (found === null) return this.#target.mayMakeTables ? notCreatedYet : this.#missing(nobody)
      if (mayWrite === false) return this.#missing(notWritable)
      const isWhole = requests === 'whole'
      if (requests !== 'older' || this.#whyNotCreated(mayCreate) === null) return ours(found, isWhole)
      return this.#withoutRequests(found)
    } catch (error) {
      if (!this.#dialect.isDenied(error)) throw error
      return this.#missing(notWritable)
    }
  }

  /**
   * Creates what is missing and may be created, and changes tables of an earlier format; for the proof `write`, commits a
   * write that leaves nothing.
   */
  async prove(want: Want, rights: Omit<TablesRights, 'mayRead'>): Promise<TablesFacts> {
    const { exist, mayCreate, mayWrite } = rights
    let isMaking = exist === 'none'
    let isOlder = false
    try {
      let found = exist === 'none' ? null : await this.#identity()
      if (found !== null && found.format > ownFormat) return this.#newer(found.format)
      isOlder = exist === 'some' || (found !== null && found.format < ownFormat)
      isMaking ||= isOlder
      let keepsRequests = rights.requests !== undefined
      if (isMaking) {
        const why = this.#whyNotCreated(mayCreate)
        if (why !== null) return this.#missing(why, { isOlder, requests: rights.requests })
        await this.#create({ isOlder, requests: rights.requests })
        found = await this.#identity()
      } else {
        if (found === null && this.#target.mayMakeTables) {
          // An administrator, or a process that ended half-way, created the tables without a row.
          await this.#identify()
          found = await this.#identity()
        }
        if (rights.requests === 'older') keepsRequests = await this.#addRequests(mayCreate)
      }
      isMaking = false
      if (found === null) return this.#missing(nobody)
      if (found.format > ownFormat) return this.#newer(found.format)
      if (mayWrite === false) return this.#missing(notWritable)
      for (const probe of this.#dialect.probes ?? []) await this.#client.run(probe)
      if (want.proof === 'write') await this.#write()
      return rights.requests === undefined || keepsRequests ? ours(found, keepsRequests) : this.#withoutRequests(found)
    } catch (error) {
      // Anything else says something about the database.
      if (!this.#dialect.isDenied(error)) throw error
      const upgrade = { isOlder, requests: rights.requests }
      return this.#missing(isMaking ? notCreatable : notWritable, upgrade)
    }
  }

  /** The facts of tables that are not there yet, or not in this format. */
  #creatable(mayCreate: boolean | null, upgrade: Upgrade): TablesFacts {
    const why = this.#whyNotCreated(mayCreate)
    return why === null ? notCreatedYet : this.#missing(why, upgrade)
  }

  #whyNotCreated(mayCreate: boolean | null): string | null {
    if (!this.#target.mayMakeTables) return 'SCHEMA_APPLY=none creates none'
    return mayCreate === false ? notCreatable : null
  }

  async #create({ isOlder, requests }: Upgrade): Promise<void> {
    const { statements, upgrades, requestUpgrades = [] } = this.#dialect
    await this.#alone(async () => {
      for (const statement of statements) await this.#client.run(statement)
      if (isOlder) {
        const ofRequests = requests === 'older' ? requestUpgrades : []
        for (const upgrade of [...upgrades, ...ofRequests]) await this.#upgrade(upgrade)
        // Last, since DDL may have no transaction; another process may have been first.
        await this.#client.run(`update holdfast_identity set format = ${ownFormat} where format < ${ownFormat}`)
      }
      await this.#identify()
    })
  }

  /** False: it may not be changed. What else the tables are for does not depend on it. */
  async #addRequests(mayCreate: boolean | null): Promise<boolean> {
    if (this.#whyNotCreated(mayCreate) !== null) return false
    try {
      await this.#alone(async () => {
        for (const upgrade of this.#dialect.requestUpgrades ?? []) await this.#upgrade(upgrade)
      })
      return true
    } catch (error) {
      if (!this.#dialect.isDenied(error)) throw error
      return false
    }
  }

  async #alone(change: () => Promise<void>): Promise<void> {
    const { alone } = this.#dialect
    await (alone === undefined ? change() : alone(this.#client, change))
  }

  async #upgrade(statement: string): Promise<void> {
    try {
      await this.#client.run(statement)
    } catch (error) {
      if (this.#dialect.isUpgraded?.(error) !== true) throw error
    }
  }

  /** Another process may have been first: its row is the identity. */
  async #identify(): Promise<void> {
    await this.#client.run(this.#dialect.insertIdentity, [randomUUID(), ownFormat])
  }

  /** Null: no identity exists yet. */
  async #identity(): Promise<Identity | null> {
    const { rows } = await this.#client.run('select id, format from holdfast_identity', [], { phase: 'open' })
    return rows[0] === undefined ? null : { id: String(rows[0].id), format: Number(rows[0].format) }
  }

  /**
   * Commits attempts that take as much room as a large row, and removes them again in the same transaction: on a full disk
   * one small row may still fit where an older one was.
   */
  async #write(triesLeft = 5): Promise<void> {
    // Neighbours in the key: each of ids drawn alone would change a page of its own in a large table.
    const prefix = randomUUID().slice(0, -12)
    const ids = Array.from({ length: proofRows }, (_, at) => `'${prefix}${at.toString(16).padStart(12, '0')}'`)
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

  #missing(why: string, upgrade = noUpgrade): TablesFacts {
    const message = `Holdfast's own tables are not usable: ${why}. The primary serves; its fallback accepts no writes.`
    const suggestion = `As the owner of the database run: ${this.#remedy(upgrade)}`
    return { ownTables: 'absent', problems: [this.#problem('OWN_TABLES_MISSING', message, suggestion)] }
  }

  #withoutRequests(found: Identity): TablesFacts {
    const message = 'The table holdfast_request is from an earlier release, and the user may not change it.'
    const suggestion = `As the owner of the database run: ${(this.#dialect.requestUpgrades ?? []).map(oneLine).join('; ')}`
    const { problems, ...facts } = ours(found, false)
    return { ...facts, problems: [...problems, this.#problem('REQUESTS_MISSING', message, suggestion)] }
  }

  #problem(code: keyof typeof ownTablesProblems, message: string, suggestion: string): Problem {
    const { setting, origin } = this.#target
    return { code, severity: 'warning', setting, origin, part: null, message, suggestion }
  }
}

const notCreatable = 'the user may not create tables there'
const notWritable = 'the user may not read and write them'
const nobody = 'holdfast_identity has no row'

const notCreatedYet: TablesFacts = { ownTables: 'absent', problems: [] }

function ours({ id }: Identity, keepsRequests: boolean): TablesFacts {
  return { ownTables: 'ours', identity: id, keepsRequests, problems: [] }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
