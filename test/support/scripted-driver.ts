import { SqliteDriver } from '@mikro-orm/sqlite'
import type { DatabaseConfig, ResolvedTarget } from '../../src/database/address/config.ts'
import type { Target } from '../../src/driver/address.ts'
import { contractGeneration, defineDriver } from '../../src/driver/define-driver.ts'
import type { Candidate, Connection, Driver, Engine, Facts, Want } from '../../src/driver/driver.ts'
import type { Standing } from '../../src/driver/facet/standing.ts'
import { type Fault, FaultError, type FaultKind, type Phase } from '../../src/driver/fault.ts'

/** What an opening does: at once, with a fault, or not before the test says so. */
export type Script = 'works' | 'hangs' | FaultKind

/** A fault of a kind, as a test needs it. */
export function faultLike(kind: FaultKind, more: Partial<Fault> = {}): Fault {
  return {
    kind,
    code: `TEST_${kind}`,
    summary: `A ${kind} fault.`,
    hint: 'None.',
    ambiguous: false,
    cause: null,
    ...more,
  }
}

/** What the driver did, in order. */
export interface Calls {
  opened: number
  verified: Want[]
  evicted: number
  connectionsOpen: number
  ormsMade: number
  ormsClosed: number
}

/** What a scripted database is. */
export interface ScriptedOptions {
  /** It keeps a journal then; otherwise it accepts what one carries. */
  readonly isEmbedded?: boolean
  readonly files?: readonly string[]
  /** True: its driver can do neither. */
  readonly isBare?: boolean
  /** What `verify` says. */
  readonly facts?: Partial<Facts>
  /** The labels of several hosts; absent: one. */
  readonly hosts?: readonly string[]
}

/** A database that does what the test says, over real MikroORM on SQLite in memory. */
export class ScriptedDatabase {
  readonly target: Target
  readonly driver: Driver
  readonly calls: Calls = { opened: 0, verified: [], evicted: 0, connectionsOpen: 0, ormsMade: 0, ormsClosed: 0 }
  /** How the next openings go; the last stays. */
  script: Script[] = ['works']
  /** The same of hosts that differ from the others, by their labels. */
  readonly scriptOf: Map<string, Script> = new Map()
  /** The hosts on which a connection was opened, in order. */
  readonly asked: string[] = []
  /** What `verify` says of our own tables; null: nothing. */
  ownTables: NonNullable<Facts['ownTables']> | null = null
  /** What `setReadOnly` was last told. */
  isReadOnly = false
  /** What it says of its place in a cluster; one that is not writable fails each proof. Null: it knows no clusters. */
  standing: Standing | null = null
  /** How often it was asked for its place, by proofs not counted. */
  standingsAsked = 0
  looks = 0
  /** What `verify` throws; null: nothing. */
  verifyError: Error | null = null
  /** Called before `verify` answers. */
  onVerify: (want: Want) => Promise<void> = async () => {}
  /** Members that replace the engine's. */
  engine: Partial<Engine> = {}
  /** True: `close` of an ORM never ends. */
  isCloseHanging = false
  readonly #facts: Partial<Facts>
  readonly #hanging = new Set<(script: Script) => void>()

  constructor(name: string, options: ScriptedOptions = {}) {
    this.target = { driver: name, id: name, host: null, port: null, database: name, user: null, tls: null }
    const files = options.files ?? []
    this.#facts = options.facts ?? {}
    this.driver = defineDriver({
      contract: contractGeneration,
      name,
      schemes: [name],
      parse: () => ({ target: this.target, problems: [] }),
      describe: () => name,
      classify,
      connect: async () => (options.hosts ?? [`${name}-store`]).map((label) => this.#candidate(label)),
      // What its stores are made of.
      sqlDialect: 'sqlite',
      ...(options.isEmbedded === true ? { embedded: { files: () => files } } : {}),
      ...(options.isBare === true ? {} : options.isEmbedded === true ? { journals: true } : { replays: true }),
    })
  }

  /** Lets everything that hangs go on with this outcome. */
  answer(script: Script): void {
    for (const go of this.#hanging) go(script)
    this.#hanging.clear()
  }

  #candidate(label: string): Candidate {
    return {
      label,
      open: () => this.#open(label),
      engine: () => {
        this.calls.ormsMade += 1
        return {
          ormOptions: { driver: SqliteDriver, dbName: ':memory:', ensureDatabase: false },
          setReadOnly: (_orm, on) => {
            this.isReadOnly = on
          },
          close: async (orm) => {
            if (this.isCloseHanging) return await new Promise(() => {})
            this.calls.ormsClosed += 1
            await orm.close(true)
          },
          ...this.engine,
        }
      },
    }
  }

  /** A server that hangs or is gone says nothing on the connections that it had. */
  async #sayStanding(isOpen: () => boolean): Promise<Standing> {
    this.standingsAsked += 1
    this.looks += 1
    const [script] = this.script
    if (script === 'hangs') return await new Promise(() => {})
    if (script !== 'works' || !isOpen() || this.standing === null) throw new Error('cut')
    return this.standing
  }

  async #open(label: string): Promise<Connection> {
    this.calls.opened += 1
    this.asked.push(label)
    const own = this.scriptOf.get(label)
    if (own !== undefined) return await this.#outcome(own)
    const script = this.script.length > 1 ? this.script.shift() : this.script[0]
    return this.#outcome(script ?? 'works')
  }

  async #outcome(script: Script): Promise<Connection> {
    if (script === 'hangs') {
      return await new Promise((resolve) => {
        this.#hanging.add((next) => resolve(this.#outcome(next)))
      })
    }
    if (script !== 'works') throw new FaultError(faultLike(script))
    this.calls.connectionsOpen += 1
    let isOpen = true
    const close = async (): Promise<void> => {
      if (isOpen) this.calls.connectionsOpen -= 1
      isOpen = false
    }
    return {
      verify: async (want) => {
        this.calls.verified.push(want)
        await this.onVerify(want)
        if (this.verifyError !== null) throw this.verifyError
        if (this.standing?.isWritable === false) throw new FaultError(faultLike('read-only'))
        return {
          ...{ ...factsOf(), ...this.#facts },
          ...(this.standing === null ? {} : { standing: this.standing }),
          ...(this.ownTables === null ? {} : { ownTables: this.ownTables }),
        }
      },
      ...(this.standing === null ? {} : { standing: () => this.#sayStanding(() => isOpen) }),
      evict: () => {
        this.calls.evicted += 1
        void close()
      },
      close,
    }
  }
}

/** One address of several hosts, in this order: the driver of the first. */
export function addressOf(...hosts: readonly [ScriptedDatabase, ...ScriptedDatabase[]]): ResolvedTarget {
  const [{ driver, target }] = hosts
  const connect: Driver['connect'] = async (_target, limits) =>
    (await Promise.all(hosts.map((host) => host.driver.connect(host.target, limits)))).flat()
  return { driver: { ...driver, connect }, target }
}

/** The resolution of a primary and a fallback; either may be absent. */
export function configOf(primary: ScriptedDatabase | null, fallback: ScriptedDatabase | null): DatabaseConfig {
  const resolved = (database: ScriptedDatabase | null) =>
    database === null ? null : { driver: database.driver, target: database.target }
  const absence = primary === null ? 'DATABASE_URL is not set.' : null
  return { declared: primary !== null, absence, primary: resolved(primary), fallback: resolved(fallback), problems: [] }
}

function factsOf(): Facts {
  return { version: 'test', path: null, ephemeral: false, pooled: false, problems: [] }
}

/** A `FaultError` keeps its fault; a cut connection and SQLite's constraint errors are one; everything else is the caller's own. */
function classify(error: unknown, phase: Phase): Fault {
  if (error instanceof FaultError) return error.fault
  const text = String(error)
  if (text.includes('cut')) return faultLike('lost', { cause: error, ambiguous: phase === 'commit' })
  if (text.includes('UNIQUE')) return faultLike('constraint', { cause: error })
  return faultLike('statement', { cause: error })
}
