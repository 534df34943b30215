import { randomUUID } from 'node:crypto'
import type { World } from '../stage/world.ts'
import { pause } from './client.ts'
import type { Random } from './random.ts'
import type { Shared } from './shared.ts'

/** A client of the primary that is none of ours: it changes and deletes shared rows by SQL, with and without an attempt. */
export class OtherClient {
  readonly #world: World
  readonly #random: Random
  readonly #shared: Shared
  readonly #everyMs: number
  #isOver = false
  #made = 0

  constructor(world: World, random: Random, shared: Shared, everyMs: number) {
    this.#world = world
    this.#random = random
    this.#shared = shared
    this.#everyMs = everyMs
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#everyMs * (0.5 + this.#random.next()))
      // The server may be away.
      await this.#step().catch(() => undefined)
    }
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const id = this.#shared.pick(this.#random)
    const dice = this.#random.next()
    this.#made += 1
    const token = `other-${this.#made}`
    if (dice < 0.35 || id === null) await this.#take(token)
    else if (dice < 0.6) await this.#world.changeElsewhere(id)
    else if (dice < 0.8) await this.#world.sql(`update item set token = '${token}' where id = '${id}'`)
    else await this.#world.removeElsewhere(id)
  }

  /** Takes a unique key that creates of an outage may have taken, too, or frees one. */
  async #take(token: string): Promise<void> {
    const { kind } = this.#world
    const quote = kind === 'mysql' ? '`' : '"'
    const slug = `slug-${this.#random.between(1, 60)}`
    const columns = ['createdAt', 'updatedAt'].map((name) => `${quote}${name}${quote}`).join(', ')
    const [row] = await this.#world.sql(`select count(*) as n from item where slug = '${slug}'`)
    if (Number(row?.n) > 0)
      await this.#world.sql(`update item set slug = null, token = '${token}' where slug = '${slug}'`)
    else {
      await this.#world.sql(
        `insert into item (id, token, slug, ${columns}, version) values ('${randomUUID()}', '${token}', '${slug}', now(), now(), 1)`,
      )
    }
  }
}
