import type { Candidate, Connection } from '../../../driver/driver.ts'
import type { Standing } from '../../../driver/facet/standing.ts'
import { untilAborted } from '../../store/bounded.ts'
import type { Clock } from '../../store/clock.ts'
import { closeQuietly, evictQuietly, standingOn } from '../../store/proof.ts'

/** The answer of one server, and the connection to it. */
export interface ServerAnswer {
  readonly connection: Connection
  readonly standing: Standing
}

/** One connection to each host of an address, outside any pool, kept between looks. */
export class HostConnections {
  readonly #clock: Clock
  readonly #kept = new Map<string, Connection>()
  #isOver = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What the host says, on its kept connection while that answers. Rejects when it does not; null: it says nothing. */
  async ask(candidate: Candidate, signal: AbortSignal): Promise<Standing | null> {
    const known = await this.askKept(candidate.label, signal)
    if (known !== null) return known
    const found = await this.askFresh(candidate, signal)
    if (found === null) return null
    this.keep(candidate.label, found.connection)
    return found.standing
  }

  /** What the server behind the kept connection says; null: there is none, or it says nothing more. Never rejects. */
  async askKept(label: string, signal: AbortSignal): Promise<Standing | null> {
    const connection = this.#kept.get(label)
    if (connection === undefined) return null
    const standing = await standingOn(connection, signal).catch(() => null)
    if (standing != null) return standing
    this.#kept.delete(label)
    evictQuietly(connection)
    return null
  }

  /** What the host says on a new connection, which is the caller's; null: it says nothing. */
  async askFresh(candidate: Candidate, signal: AbortSignal): Promise<ServerAnswer | null> {
    signal.throwIfAborted()
    const connection = await untilAborted(candidate.open(signal), signal, evictQuietly)
    const standing = await standingOn(connection, signal).catch((error: unknown) => {
      evictQuietly(connection)
      throw error
    })
    if (standing !== undefined) return { connection, standing }
    this.drop(connection)
    return null
  }

  /** Keeps a connection for the next look, in place of the one before. */
  keep(label: string, connection: Connection): void {
    const before = this.#kept.get(label)
    if (before !== undefined) this.drop(before)
    if (this.#isOver) this.drop(connection)
    else this.#kept.set(label, connection)
  }

  /** Closes a connection that is not kept. */
  drop(connection: Connection): void {
    closeQuietly(connection, this.#clock)
  }

  /** Closes all of them, and whatever is kept later. */
  end(): void {
    this.#isOver = true
    for (const connection of this.#kept.values()) this.drop(connection)
    this.#kept.clear()
  }
}
