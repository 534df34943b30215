import type { EntitySchema, EventSubscriber } from '@mikro-orm/core'
import { SqlMikroORM, type Options as SqlOptions } from '@mikro-orm/sql'
import { CompiledQuery } from 'kysely'
import type { Problem } from '../../config/problem.ts'
import { type Disk, diskOf } from '../../disk/disk.ts'
import type { Role } from '../../driver/address.ts'
import type { Candidate, Driver, Engine, Facts, Want } from '../../driver/driver.ts'
import type { Row, Statements, Value, Written } from '../../driver/facet/statements.ts'
import type { Fault } from '../../driver/fault.ts'
import { FaultError } from '../../driver/fault.ts'
import type { MikroORM } from '../../driver/orm.ts'
import type { ResolvedTarget } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { openingFault } from '../machine/faults.ts'
import { advised } from './advice.ts'
import { untilAborted } from './bounded.ts'
import { systemClock } from './clock.ts'
import { inspectTarget } from './inspect-target.ts'
import { withIntegersOnly } from './integers-only.ts'
import { proveCandidate } from './proof.ts'
import type { Store } from './store.ts'
import { TransactionAttempts } from './transaction-attempts.ts'

/** Which hosts of an address are tried, by their labels. */
export interface HostChoice {
  /** This one alone, where the address has it. */
  readonly only?: string
  /** After all others: it was lost a moment ago. */
  readonly last?: string
  /** Not at all, where the address has others. */
  readonly avoid?: string
}

/** What opens and proves stores for the supervisor. */
export interface StoreOpener {
  /**
   * A store that is verified and connected. Rejects with a FaultError, at the latest when `signal` aborts; then nothing
   * stays open.
   */
  open(resolved: ResolvedTarget, role: Role, signal: AbortSignal, choice?: HostChoice): Promise<Store>
  /**
   * What one candidate that gave the wanted proof, on a fresh connection that is closed again, says. Rejects like `open`.
   */
  prove(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Facts>
}

/** Options of the factory. `settings` is called at each opening, so that new settings count. */
export interface EngineFactoryOptions {
  readonly entities: readonly EntitySchema[]
  settings(): Pick<ConnectionSettings, 'limits' | 'durable' | 'isSpace'>
}

/** How long an ORM that failed while it connected may take to end. */
const lateCloseMs = 1_000

/** Two ORMs of one process must not see each other's transactions: MikroORM finds them by this name. */
let storesMade = 0

/** Opens stores: proves a candidate on a connection of its own, then opens MikroORM over the driver's safe connection. */
export class DatabaseEngineFactory implements StoreOpener {
  readonly #options: EngineFactoryOptions

  constructor(options: EngineFactoryOptions) {
    this.#options = options
  }

  async open(resolved: ResolvedTarget, role: Role, signal: AbortSignal, choice?: HostChoice): Promise<Store> {
    // A fallback may be new and becomes ours; a primary must accept a write of ours before it may serve.
    return await this.#open(resolved, { role, proof: role === 'primary' ? 'write' : 'open' }, signal, choice)
  }

  /** A store of a server that is opened without changing anything, in order to inspect its tables. Rejects like `open`. */
  async look(resolved: ResolvedTarget, signal: AbortSignal): Promise<Store> {
    return await this.#open(resolved, { role: 'primary', proof: 'look' }, signal)
  }

  async #open(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Store> {
    const inspected = inspectTarget(resolved)
    const attempt = async (candidate: Candidate, hosts: number): Promise<Store> => {
      const { facts } = await proveCandidate(candidate, want, systemClock, signal)
      const problems = joined((await untilAborted(inspected, signal)).problems, facts.problems)
      const hasOthers = hosts > 1 || (facts.standing?.members ?? 1) > 1
      const found = { facts: { ...facts, problems }, hosts, hasOthers }
      return await this.#engine(resolved, want.role, candidate, found, signal)
    }
    return await this.#firstOf(resolved, signal, attempt, choice)
  }

  /** The options for `new MikroORM` of the first candidate that can serve, for tools that make an ORM of their own. Rejects like `open`. */
  async options(resolved: ResolvedTarget, role: Role, signal: AbortSignal): Promise<SqlOptions> {
    const want: Want = { role, proof: 'open' }
    return await this.#firstOf(resolved, signal, async (candidate) => {
      const { facts } = await proveCandidate(candidate, want, systemClock, signal)
      return ormOptionsOf(resolved.driver, candidate.engine(facts), this.#options.entities)
    })
  }

  async prove(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Facts> {
    const inspected = inspectTarget(resolved)
    const attempt = async (candidate: Candidate): Promise<Facts> => {
      const { facts } = await proveCandidate(candidate, want, systemClock, signal)
      return { ...facts, problems: joined((await untilAborted(inspected, signal)).problems, facts.problems) }
    }
    return await this.#firstOf(resolved, signal, attempt, choice)
  }

  /** The first candidate that succeeds. When none does, throws the first one's fault: it is the configured one. */
  async #firstOf<R>(
    { driver, target }: ResolvedTarget,
    signal: AbortSignal,
    attempt: (candidate: Candidate, hosts: number) => Promise<R>,
    choice: HostChoice = {},
  ): Promise<R> {
    const failures: FaultError[] = []
    const faultOf = (error: unknown): Fault => advised(openingFault(driver, error), target, this.#options.settings())
    try {
      const candidates = await untilAborted(driver.connect(target, this.#options.settings().limits), signal)
      const hosts = new Set(candidates.map(({ label }) => label)).size
      for (const candidate of chosen(candidates, choice)) {
        try {
          return await attempt(candidate, hosts)
        } catch (error) {
          const fault = faultOf(error)
          failures.push(new FaultError(fault))
          // A locked file is not gone: it would miss the rows written elsewhere meanwhile.
          if (signal.aborted || (driver.embedded !== undefined && fault.kind === 'transient')) break
        }
      }
    } catch (error) {
      failures.push(new FaultError(faultOf(error)))
    }
    throw (
      failures[0] ??
      new FaultError(openingFault(driver, new Error(`"${driver.name}" returned no candidate to connect to.`)))
    )
  }

  async #engine(
    { driver, target }: ResolvedTarget,
    role: Role,
    candidate: Candidate,
    { facts, hosts, hasOthers }: Pick<Store, 'facts' | 'hosts' | 'hasOthers'>,
    signal: AbortSignal,
  ): Promise<Store> {
    const engine = candidate.engine(facts)
    const transactionAttempts = new TransactionAttempts()
    const orm = createOrm(driver, engine, this.#options.entities, transactionAttempts)
    const close = async (withinMs: number): Promise<void> => await engine.close(orm, withinMs)
    try {
      await untilAborted(orm.connect(), signal)
      const disk = await this.#diskOf(facts)
      signal.throwIfAborted()
      const journal = engine.journal?.(orm) ?? null
      transactionAttempts.journal = journal
      return {
        role,
        driver,
        target,
        label: candidate.label,
        facts,
        hosts,
        hasOthers,
        disk,
        orm,
        statements: engine.statements?.(orm) ?? kyselyStatements(orm),
        schemaLock: engine.schemaLock?.(orm) ?? null,
        journal,
        journalView: engine.journalView?.(orm) ?? null,
        localRows: engine.localRows?.(orm) ?? null,
        copy: engine.copy?.(orm) ?? null,
        copyView: engine.copyView?.(orm) ?? null,
        archive: engine.archive?.(orm) ?? null,
        attempts: engine.attempts?.(orm) ?? null,
        replay: engine.replay?.(orm) ?? null,
        feed: engine.feed?.(orm) ?? null,
        setReadOnly: (on) => engine.setReadOnly?.(orm, on),
        close,
      }
    } catch (error) {
      // Not awaited: the caller's time may be up, and `close` is bounded.
      close(lateCloseMs).catch(() => {})
      throw error
    }
  }

  async #diskOf(facts: Facts): Promise<Disk | null> {
    const { durable, isSpace } = this.#options.settings()
    return facts.path === null ? null : await diskOf(facts.path, durable, isSpace)
  }
}

/** The candidates in the order in which they are tried. */
function chosen(candidates: readonly Candidate[], { only, last, avoid }: HostChoice): readonly Candidate[] {
  const named = candidates.filter(({ label }) => label === only)
  if (named.length > 0) return named
  const others = candidates.filter(({ label }) => label !== avoid)
  const tried = others.length > 0 ? others : candidates
  return [...tried.filter(({ label }) => label !== last), ...tried.filter(({ label }) => label === last)]
}

/** Connecting finds out more than looking: its problem of the same code wins. */
function joined(looking: readonly Problem[], connecting: readonly Problem[]): readonly Problem[] {
  const known = new Set(connecting.map((problem) => problem.code))
  return [...connecting, ...looking.filter((problem) => !known.has(problem.code))]
}

function createOrm(
  driver: Driver,
  engine: Engine,
  entities: readonly EntitySchema[],
  subscriber: EventSubscriber,
): MikroORM {
  storesMade += 1
  try {
    checkNames(entities)
    const options = ormOptionsOf(driver, engine, entities)
    const subscribers = [...(options.subscribers ?? []), subscriber]
    return new SqlMikroORM({ ...options, subscribers, contextName: `holdfast-${storesMade}` })
  } catch (cause) {
    throw entitiesError(cause)
  }
}

/** Of entities that share a name MikroORM uses the last, so a collection would lose its table. */
function checkNames(entities: readonly EntitySchema[]): void {
  const names = entities.map((entity) => entity.meta?.className)
  const twice = names.find((name, at) => name !== undefined && names.indexOf(name) < at)
  if (twice !== undefined) throw new TypeError(`Two entities have the name "${twice}".`)
}

/** Nothing is connected yet: what fails is an entity, which the driver does not know. The message contains no value. */
function entitiesError(cause: unknown): FaultError {
  const [why = ''] = cause instanceof Error ? cause.message.split('\n', 1) : []
  const summary = `MikroORM does not accept the entities: ${why.slice(0, 300)}`
  const hint = 'Fix the option "entities". Each needs a primary key, and a name and a table that no collection has.'
  return new FaultError({ kind: 'configuration', code: 'ENTITY_INVALID', summary, hint, ambiguous: false, cause })
}

function ormOptionsOf(driver: Driver, { ormOptions }: Engine, entities: readonly EntitySchema[]): SqlOptions {
  // The contract speaks of MikroORM's options for any driver; those of SQL drivers are the same object.
  const options = withIntegersOnly(driver, ormOptions) as Omit<SqlOptions, 'entities' | 'entitiesTs'>
  // A service without collections is legitimate.
  const discovery = { ...options.discovery, warnWhenNoEntities: false }
  return { ...options, discovery, entities: [...entities] }
}

/**
 * Statements for drivers that have none: through MikroORM's kysely, slower and equal. The ORM's global EntityManager
 * resolves to the open transaction of this async context, so both join it, as the contract demands.
 */
function kyselyStatements(orm: MikroORM): Statements {
  const run = async (sql: string, values: readonly Value[]) => {
    // Binding parameters: MikroORM's own `execute` would write the values into the text.
    return await orm.em.getKysely().executeQuery<Row>(CompiledQuery.raw(sql, [...values]))
  }
  return {
    read: async (sql, values): Promise<readonly Row[]> => (await run(sql, values)).rows,
    write: async (sql, values): Promise<Written> => {
      const { rows, numAffectedRows } = await run(sql, values)
      // With RETURNING some clients count nothing: each returned row is one that was changed.
      return { rows, changed: numAffectedRows === undefined ? rows.length : Number(numAffectedRows) }
    },
  }
}
