import { type Native, openNative } from '../handle.ts'

/**
 * A reader that never stops reading: while it does no process can restart the WAL, and none can carry more of it into the main
 * file than was there when the reader began. Two connections take turns, so that it moves on without a moment in between.
 */
export class ReadMark {
  readonly #connections: readonly [Native, Native]
  /** The one that reads; null: none. */
  #reading: 0 | 1 | null = null
  #isAtStart = false

  /** Opens both. @throws what the client throws; then nothing is open. */
  constructor(file: string) {
    const first = openReader(file)
    try {
      this.#connections = [first, openReader(file)]
    } catch (error) {
      first.close()
      throw error
    }
  }

  /**
   * Reads the newest state from now on. Where all of the WAL is in the main file, nothing can be carried into that one until the
   * next call; the WAL may then begin again, once. @throws what the client throws; then it reads as before.
   */
  renew(): void {
    const next = this.#reading === 0 ? 1 : 0
    begin(this.#connections[next])
    const before = this.#reading
    this.#reading = next
    if (before !== null) this.#connections[before].exec('commit')
    this.#isAtStart = this.isCarried()
  }

  /** Whether it reads since a moment at which all of the WAL was in the main file: nothing was carried into that one since. */
  get isAtStart(): boolean {
    return this.#isAtStart
  }

  /** Whether all of the WAL is in the main file now. @throws what the client throws. */
  isCarried(): boolean {
    const { log, carried } = this.#look()
    return log === carried
  }

  /** Lets go. */
  release(): void {
    if (this.#reading !== null) this.#connections[this.#reading].exec('commit')
    this.#reading = null
    this.#isAtStart = false
  }

  /** Frames in the WAL that are committed, by SQLite's own index of it. @throws what the client throws. */
  frames(): number {
    return Math.max(0, this.#look().log)
  }

  #look(): Carried {
    const idle = this.#connections[this.#reading === 0 ? 1 : 0]
    return carriedOf(idle.pragma('wal_checkpoint(noop)'))
  }

  /** Safe to call twice. */
  close(): void {
    for (const connection of this.#connections) connection.close()
  }
}

/** Opens a connection that cannot write; it reads once, and then has the WAL open. */
export function openReader(file: string): Native {
  const native = openNative(file, { readonly: true, mustExist: true })
  try {
    read(native)
    return native
  } catch (error) {
    native.close()
    throw error
  }
}

function begin(native: Native): void {
  native.exec('begin')
  try {
    read(native)
  } catch (error) {
    native.exec('rollback')
    throw error
  }
}

function read(native: Native): void {
  native.prepare('select 1 from sqlite_master').get()
}

/** The answer of a checkpoint. */
export interface Carried {
  readonly isBusy: boolean
  /** Frames in the WAL, and how many of them are in the main file. */
  readonly log: number
  readonly carried: number
}

/** What `pragma wal_checkpoint` gives. */
export function carriedOf(answer: unknown): Carried {
  const [row] = answer as readonly { busy: number; log: number; checkpointed: number }[] // As SQLite documents it.
  return { isBusy: row?.busy !== 0, log: row?.log ?? -1, carried: row?.checkpointed ?? -1 }
}
