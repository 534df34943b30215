import type { EntitySchema, EventSubscriber } from '@mikro-orm/core'
import { SqlMikroORM, type Options as SqlOptions } from '@mikro-orm/sql'
import { CompiledQuery } from 'kysely'
import { diskOf } from '../../disk/disk.ts'
import type { Role } from '../../driver/address.ts'
import type { Driver, Engine } from '../../driver/driver.ts'
import type { Row, Statements, Value, Written } from '../../driver/facet/statements.ts'
import { FaultError } from '../../driver/fault.ts'
import type { MikroORM } from '../../driver/orm.ts'
import type { ResolvedTarget } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { untilAborted } from './bounded.ts'
import type { ProvenHost } from './host-race.ts'
import { withIntegersOnly } from './integers-only.ts'
import type { Store } from './store.ts'
import { TransactionAttempts } from './transaction-attempts.ts'

/** How long an ORM that failed while it connected may take to end. */
const lateCloseMs = 1_000

/** Two ORMs of one process must not see each other's transactions: MikroORM finds them by this name. */
let storesMade = 0

/** What a store is built with, besides the host that was proven. */
export interface StoreParts {
  readonly role: Role
  readonly hosts: Store['hosts']
  readonly hasOthers: boolean
  readonly entities: readonly EntitySchema[]
  readonly settings: Pick<ConnectionSettings, 'durable' | 'isSpace'>
}

/** Opens MikroORM over the safe connections of a host that was proven. Nothing stays open when it rejects. */
export async function buildStore(
  { driver, target }: ResolvedTarget,
  { candidate, facts }: ProvenHost,
  { role, hosts, hasOthers, entities, settings }: StoreParts,
  signal: AbortSignal,
): Promise<Store> {
  const engine = candidate.engine(facts)
  const transactionAttempts = new TransactionAttempts()
  const orm = createOrm(driver, engine, entities, transactionAttempts)
  const close = async (withinMs: number): Promise<void> => await engine.close(orm, withinMs)
  try {
    await untilAborted(orm.connect(), signal)
    const disk = facts.path === null ? null : await diskOf(facts.path, settings.durable, settings.isSpace)
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

/** The options for `new MikroORM`. */
export function ormOptionsOf(driver: Driver, { ormOptions }: Engine, entities: readonly EntitySchema[]): SqlOptions {
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
