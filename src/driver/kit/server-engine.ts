import type { Engine } from '../driver.ts'
import type { Attempts } from '../facet/attempts.ts'
import type { Feed } from '../facet/feed.ts'
import type { Replay } from '../facet/replay.ts'
import type { SchemaLock } from '../facet/schema-lock.ts'
import type { Statements } from '../facet/statements.ts'
import type { MikroORM, OrmOptions } from '../orm.ts'

/** How long MikroORM may take to end once its pool is closed. */
const ormCloseMs = 1_000

/** A pool as an engine needs it. */
export interface EnginePool {
  readonly statements: Statements
  /** Never rejects. Safe to call twice. */
  close(withinMs: number): Promise<void>
}

/** The parts of a server driver's engine; `P` is its pool. */
export interface ServerEngineParts<P> {
  /** MikroORM's options. The driver class among them passes its pool to `use` when it connects. */
  ormOptions(use: (pool: P) => void): OrmOptions
  schemaLock?(orm: MikroORM, pool: P): SchemaLock
  attempts?(pool: P): Attempts
  replay?(pool: P): Replay
  feed?(pool: P): Feed
}

/** The engine of a server driver: it keeps the pool that its one ORM connected with. */
export class ServerEngine<P extends EnginePool> implements Engine {
  readonly ormOptions: OrmOptions
  readonly schemaLock?: (orm: MikroORM) => SchemaLock
  readonly attempts?: () => Attempts
  readonly replay?: () => Replay
  readonly feed?: () => Feed
  #pool: P | null = null

  constructor(parts: ServerEngineParts<P>) {
    const { schemaLock, attempts, replay, feed } = parts
    if (schemaLock !== undefined) this.schemaLock = (orm) => schemaLock(orm, this.#connected())
    if (attempts !== undefined) this.attempts = () => attempts(this.#connected())
    if (replay !== undefined) this.replay = () => replay(this.#connected())
    if (feed !== undefined) this.feed = () => feed(this.#connected())
    this.ormOptions = parts.ormOptions((pool) => {
      this.#pool = pool
    })
  }

  /** Null until the ORM connects. */
  get pool(): P | null {
    return this.#pool
  }

  statements(): Statements {
    return this.#connected().statements
  }

  async close(orm: MikroORM, withinMs: number): Promise<void> {
    await this.#pool?.close(withinMs)
    const ended = orm.close(true).catch(() => {})
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, ormCloseMs).unref())])
  }

  #connected(): P {
    if (this.#pool === null) throw new TypeError('The ORM is not connected.')
    return this.#pool
  }
}
