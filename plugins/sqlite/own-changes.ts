import { whileBusy } from './busy.ts'
import type { Handle } from './handle.ts'
import type { Author } from './journal/author.ts'
import type { Sync } from './sync.ts'
import type { Writer } from './writer.ts'

/** What changes of Holdfast's own need of the file that they are in. */
export interface ChangeGround {
  readonly hot: Handle
  readonly writer: Writer
  readonly sync: Sync
  readonly limitMs: number
  /** Of the hot handle. */
  readonly author: Author
}

/** How a change is committed: what `Handle.alone` does, or the same without its sync. */
export type RunAlone = <R>(work: () => R) => R

/** Changes of Holdfast's own: on the hot handle, in transactions of their own, not journaled, and also while the store accepts none. */
export class OwnChanges {
  readonly #ground: ChangeGround

  constructor(ground: ChangeGround) {
    this.#ground = ground
  }

  /** Takes the writer, so that no transaction of the service is open. `work` is run again where a foreign lock was met. */
  async change<R>(label: string, work: () => R, run: RunAlone = (all) => this.#ground.hot.alone(all)): Promise<R> {
    const { writer, limitMs, author } = this.#ground
    const permit = await writer.take(label, limitMs)
    try {
      return await whileBusy(() => author.silently(() => run(work)), limitMs)
    } finally {
      permit.release()
    }
  }

  /** The same within this call. @throws what the client throws, also where another transaction of this process is open. */
  changeNow<R>(label: string, work: () => R, run: RunAlone): R {
    const { writer, author } = this.#ground
    // Where it is taken, its holder either waits for its turn, which does no harm, or has the lock, which SQLite reports.
    const permit = writer.tryTake(label)
    try {
      return author.silently(() => run(work))
    } finally {
      permit?.release()
    }
  }

  /** Repeats a change until it has nothing left to do; writes of the service come in between. Resolves with the sum. */
  async inSteps(label: string, step: () => number, run?: RunAlone): Promise<number> {
    for (let sum = 0; ; ) {
      const changed = await this.change(label, step, run)
      sum += changed
      if (changed === 0) return sum
      await nextTurn()
    }
  }

  /** Repeats a change with what the one before it gave, until that is null; writes of the service come in between. */
  async walk<K>(label: string, step: (last: K | null) => K | null, run?: RunAlone): Promise<void> {
    let last: K | null = null
    do {
      const before: K | null = last
      if (before !== null) await nextTurn()
      last = await this.change(label, () => step(before), run)
    } while (last !== null)
  }

  /** Resolves when everything committed before is on the disk. */
  async durable(): Promise<void> {
    const { after } = this.#ground.sync
    if (after === null) return
    await new Promise<void>((resolve, reject) => {
      after((error) => (error === null ? resolve() : reject(error)))
    })
  }
}

/** Lets writes of the service through. */
export async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
