import { pause } from '../load/client.ts'
import type { Random } from '../load/random.ts'
import type { Actor, Written } from '../stage/actor.ts'
import { archivedDemand } from './archive-world.ts'

/** What a writer works with. */
export interface WriterParts {
  readonly actor: Actor
  readonly random: Random
  /** The pause between two writes, on average. */
  readonly everyMs: number
  /** Which share of its writes demands the archive. */
  readonly demanding: number
  /** Characters of notes, one of which is picked for each write; those of `noteSizes` unless told. */
  readonly sizes?: readonly [number, ...number[]]
}

/** Characters of notes: some rows have pages of their own. */
const noteSizes = [0, 40, 400, 400, 5_000, 19_000] as const

const rowsOfTransaction = 3

/** A client of one process: creates rows, changes and removes its own, one request at a time, until the process ends. */
export class Writer {
  readonly #parts: WriterParts
  #ids: string[] = []
  #isOver = false

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** Resolves when it was stopped, or when its process does not answer any more. */
  async run(): Promise<void> {
    const { random, everyMs } = this.#parts
    while (!this.#isOver) {
      await pause(everyMs * (0.5 + random.next()))
      if (this.#isOver) return
      const { status } = await this.#step()
      if (status === 0) return
    }
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<Written> {
    const { actor, random, demanding, sizes = noteSizes } = this.#parts
    const prefer = random.next() < demanding ? archivedDemand : undefined
    const note = 'x'.repeat(random.pick(sizes))
    const id = this.#ids[random.between(0, this.#ids.length - 1)]
    const dice = random.next()
    if (dice < 0.1) return await this.#transact(note)
    if (dice < 0.55 || id === undefined) {
      const created = await actor.create({ note }, prefer)
      if (created.write.ending === 'acknowledged') this.#ids.push(...created.write.ids)
      return created
    }
    if (dice < 0.9) {
      const changed = await actor.change(id, { note }, prefer)
      // Nobody knows what it holds now.
      if (changed.write.ending === 'unknown') this.#forget(id)
      return changed
    }
    this.#forget(id)
    return await actor.remove(id, null, prefer)
  }

  #forget(id: string): void {
    this.#ids = this.#ids.filter((one) => one !== id)
  }

  async #transact(note: string): Promise<Written> {
    const steps = (token: string) =>
      Array.from({ length: rowsOfTransaction }, () => ({ do: 'create', row: { token, note } }) as const)
    return await this.#parts.actor.run(steps, { rows: rowsOfTransaction })
  }
}

/** Lets some writers loose on a process; the answer stops them, and waits for what is on its way. */
export function letLoose(count: number, parts: WriterParts): () => Promise<void> {
  const writers = Array.from({ length: count }, () => new Writer(parts))
  const running = writers.map((writer) => writer.run())
  return async () => {
    for (const writer of writers) writer.stop()
    await Promise.all(running)
  }
}
