import type { Candidate, Connection, Engine, Facts, Want } from '../driver.ts'
import type { Standing } from '../facet/standing.ts'

/** A client's one connection, as a proof needs it. */
export interface ProofClient {
  /** Ends gracefully. */
  end(): Promise<void>
  /** Frees the caller and closes by reset. Never throws. Safe to call twice. */
  evict(): void
}

/** The parts of a server driver's candidate. A way is how the host is reached: with TLS or without, say. */
export interface ServerCandidateParts<W, C extends ProofClient> {
  /** For people and logs; no secret. */
  readonly label: string
  /** As a candidate's. Absent: 0. */
  readonly round?: number
  /** The ways to reach the host, in the order to try them; at least one. Opens nothing. */
  ways(): Promise<readonly W[]>
  /** A client that is not connected yet. */
  createClient(way: W): C
  connect(client: C): Promise<unknown>
  /** True when the next way may be tried after this error. */
  mayTryNext(error: unknown): boolean
  /** Rejects with what `classify` reads. */
  verify(client: C, want: Want): Promise<Facts>
  /** Rejects with what `classify` reads. Absent: the driver knows no clusters. */
  standing?(client: C): Promise<Standing>
  /** Opens nothing. `way` returns the way that opening found. */
  engine(way: () => W, facts: Facts): Engine
}

/** One host of a server: tries its ways in turn, and keeps the one that worked for the engine. */
export class ServerCandidate<W, C extends ProofClient> implements Candidate {
  readonly label: string
  readonly round: number
  readonly #parts: ServerCandidateParts<W, C>
  #found: { readonly way: W } | null = null

  constructor(parts: ServerCandidateParts<W, C>) {
    this.label = parts.label
    this.round = parts.round ?? 0
    this.#parts = parts
  }

  async open(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted()
    const all = await this.#parts.ways()
    // A balancer that takes its servers in turn would lead two connections each time to the same one of two servers.
    const ways = this.#found === null ? all : [this.#found.way, ...all]
    for (const [index, way] of ways.entries()) {
      // Finding the ways may read files, and an abort that came meanwhile fires no event later.
      signal.throwIfAborted()
      const client = this.#parts.createClient(way)
      try {
        await withSignal(signal, this.#parts.connect(client))
        this.#found = { way }
        return new ProofConnection(client, this.#parts)
      } catch (error) {
        client.evict()
        if (index === ways.length - 1 || !this.#parts.mayTryNext(error)) throw error
      }
    }
    throw new Error('unreachable: every host has a way')
  }

  engine(facts: Facts): Engine {
    return this.#parts.engine(() => {
      // Another way might be without the TLS that was asked for.
      if (this.#found === null) throw new Error('unreachable: a candidate is opened before an ORM connects to it')
      return this.#found.way
    }, facts)
  }
}

/** One connection in no pool, for proofs. */
class ProofConnection<C extends ProofClient> implements Connection {
  readonly standing?: (signal: AbortSignal) => Promise<Standing>
  readonly #client: C
  readonly #verify: ServerCandidateParts<unknown, C>['verify']

  constructor(client: C, { verify, standing }: Pick<ServerCandidateParts<unknown, C>, 'verify' | 'standing'>) {
    this.#client = client
    this.#verify = verify
    if (standing === undefined) return
    this.standing = async (signal) => {
      signal.throwIfAborted()
      return await withSignal(signal, standing(client))
    }
  }

  async verify(want: Want, signal: AbortSignal): Promise<Facts> {
    signal.throwIfAborted()
    return await withSignal(signal, this.#verify(this.#client, want))
  }

  evict(): void {
    this.#client.evict()
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => this.#client.evict())
  }
}

/** The work's outcome, or the signal's reason as soon as it aborts. */
export async function withSignal<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
