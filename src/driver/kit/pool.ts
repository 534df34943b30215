import type { Limits } from '../driver.ts'
import type { FaultError } from '../fault.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { commonError } from './fault-reader.ts'
import type { Evictable, PooledClient } from './pooled-client.ts'
import { withSignal } from './server-candidate.ts'
import { type Share, Sharing } from './sharing.ts'
import { TransactionScope } from './transaction-scope.ts'

/** The parts of a pool. */
export interface PoolParts<C extends PooledClient> {
  readonly limits: Limits
  /** Creates a client; opens nothing, and never throws. */
  create(): C
  /** Whatever is open, connections outside of the pool too; each enters and leaves by itself. */
  readonly open: ReadonlySet<Evictable>
  /** How long all connections may stand still although nothing is wrong; a caller waits at least as long. Absent: 0. */
  stallMs?(): number
  /** Why a connection was not opened, by what `connect` rejected with; null: it was not open in time. Nothing was sent. */
  unopened(error: unknown): FaultError
  /** Why a connection that was opened is not used, since it leads to a member of a cluster that is not wanted; null: it is. */
  unfit?(client: C): FaultError | null
}

interface Waiter<C> {
  readonly share: Share
  readonly resolve: (client: C) => void
  readonly reject: (error: FaultError) => void
  readonly sinceMs: number
  readonly dueMs: number
}

/** Connections above the kept ones are closed when unused for this long. */
const idleMs = 10_000

/** How long a caller that may share a connection waits before one more connection is shared. */
const patienceMs = 10

/** Above this share of the time the event loop itself is the bottleneck, which more connections would not relieve. */
const busyShare = 0.9

/** Connections that lead to unwanted members of a cluster, in a row, until a caller hears of it. */
const unfitMax = 8

/** How long a closed socket may take to report it. */
const lateMs = 500

/** The connections of one ORM. A wait has a limit; one timer serves all who wait, and another one all that are idle. */
export class ConnectionPool<C extends PooledClient> {
  /** How native statements find the EntityManager transaction that they join. */
  readonly transactions: TransactionScope<C> = new TransactionScope()
  readonly limits: Limits
  readonly #parts: PoolParts<C>
  /** All that count against the limit: open, being opened, or saying goodbye. */
  readonly #members = new Set<C>()
  readonly #leaving = new Set<C>()
  readonly #sharing: Sharing<C>
  /** Of the event loop, when it was last measured. */
  #load = performance.eventLoopUtilization()
  #opening = 0
  /** Since a connection was fit. */
  #unfit = 0
  /** The one used last is taken first, so that the others become old and are closed. */
  readonly #idle: C[] = []
  /** Since when each of `#idle` is. */
  readonly #idleSince: number[] = []
  /** Oldest first, and so by `dueMs`. */
  readonly #waiters: Waiter<C>[] = []
  readonly #waitTimer = new DeadlineTimer((nowMs) => this.#refuseLate(nowMs))
  readonly #shareTimer = new DeadlineTimer((nowMs) => this.#adapt(nowMs))
  readonly #idleTimer = new DeadlineTimer((nowMs) => this.#closeIdle(nowMs))
  #closed: Promise<void> | null = null

  constructor(parts: PoolParts<C>) {
    this.limits = parts.limits
    this.#parts = parts
    this.#sharing = new Sharing(parts.limits.poolSize, parts.limits.poolSize + parts.limits.poolMaxOverflow)
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#members.size
  }

  /**
   * An idle connection, which is the caller's until `release`. Null: there is none, and `acquire` waits for one.
   */
  take(share: Share = null): C | null {
    if (share !== null && this.#sharing.left <= 0) return null
    for (let client = this.#idle.pop(); client !== undefined; client = this.#idle.pop()) {
      this.#idleSince.pop()
      if (client.isIdle) {
        if (share !== null) this.#sharing.lend(client, 1)
        return client
      }
      this.#dismiss(client)
    }
    return null
  }

  /** A connection as of `take`. @throws FaultError within the limit; nothing was sent. */
  acquire(share: Share = null): Promise<C> {
    const free = this.take(share)
    if (free !== null) return Promise.resolve(free)
    if (this.#closed !== null) return Promise.reject(poolClosedError())
    return new Promise((resolve, reject) => {
      const nowMs = performance.now()
      const waitMs = Math.max(Math.min(this.limits.connectMs, this.limits.queryMs), this.#parts.stallMs?.() ?? 0)
      const dueMs = nowMs + waitMs
      this.#waiters.push({ share, resolve, reject, sinceMs: nowMs, dueMs })
      this.#waitTimer.watch(dueMs, nowMs)
      if (share !== null) this.#shareTimer.watch(nowMs + patienceMs, nowMs)
      if (share === null || this.#sharing.left > this.#opening) this.#grow()
    })
  }

  /** Gives a connection back, once. One that is not idle when the last caller gives it back is closed by reset. */
  release(client: C): void {
    if (!this.#sharing.giveBack(client)) return
    if (!client.isIdle) {
      if (client.isOutdated === true) this.#dismissOlder(client)
      this.#dismiss(client)
      this.#lendIdle()
    } else if (this.#closed !== null) void client.end()
    else this.#handOver(client)
  }

  /** One more connection, outside of the pool; the caller ends it. `signal` ends the attempt with its reason. */
  async openAside(signal?: AbortSignal): Promise<C> {
    if (this.#closed !== null) throw poolClosedError()
    signal?.throwIfAborted()
    const client = this.#parts.create()
    try {
      const connected = client.connect()
      await (signal === undefined ? connected : withSignal(signal, connected))
      const unfit = this.#parts.unfit?.(client) ?? null
      if (unfit !== null) throw unfit
      return client
    } catch (error) {
      client.evict()
      throw error
    }
  }

  /** Refuses new callers, waits for those who hold a connection, and resets what is left. Never rejects. Safe to call twice. */
  close(withinMs: number): Promise<void> {
    this.#closed ??= this.#close(withinMs)
    return this.#closed
  }

  async #close(withinMs: number): Promise<void> {
    this.#waitTimer.stop()
    this.#shareTimer.stop()
    this.#idleTimer.stop()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(poolClosedError())
    this.#idleSince.length = 0
    for (const client of this.#idle.splice(0)) void client.end()
    await this.#empty(withinMs)
    for (const one of this.#parts.open) one.evict()
    await this.#empty(lateMs)
  }

  async #empty(withinMs: number): Promise<void> {
    const limitMs = performance.now() + withinMs
    while (this.#parts.open.size > 0 && performance.now() < limitMs) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** How many are open above the kept ones. */
  get #surplus(): number {
    return this.#members.size - this.#leaving.size - this.limits.poolSize
  }

  /** Opens one connection for the callers that wait, where the limit allows it. */
  #grow(): void {
    const max = this.limits.poolSize + this.limits.poolMaxOverflow
    if (this.#waiters.length <= this.#opening || this.#members.size >= max) return
    const client = this.#parts.create()
    const lastDueMs = this.#waiters.at(-1)?.dueMs ?? 0
    this.#members.add(client)
    this.#opening += 1
    client.connect().then(
      () => {
        this.#opening -= 1
        const unfit = this.#parts.unfit?.(client) ?? null
        if (unfit !== null) {
          // Behind a balancer the next one may lead elsewhere.
          this.#unfit += 1
          if (this.#unfit % unfitMax === 0) this.#refuse(lastDueMs, unfit)
          this.#dismiss(client)
          return
        }
        this.#unfit = 0
        client.onEnd(() => this.#forget(client))
        this.release(client)
      },
      (error: unknown) => {
        this.#opening -= 1
        this.#refuse(lastDueMs, this.#parts.unopened(error))
        this.#dismiss(client)
      },
    )
  }

  /** The oldest waiter gets the error of an attempt, unless it came after this one began: each has an attempt of its own. */
  #refuse(lastDueMs: number, error: FaultError): void {
    const [first] = this.#waiters
    if (first === undefined || first.dueMs > lastDueMs) return
    this.#waiters.shift()
    first.reject(error)
  }

  #handOver(client: C): void {
    const at = this.#sharing.left > 0 ? 0 : this.#waiters.findIndex(({ share }) => share === null)
    const waiter = at < 0 ? undefined : this.#waiters.splice(at, 1)[0]
    if (waiter !== undefined) {
      waiter.resolve(client)
      if (waiter.share !== null) this.#share(client, waiter.share)
      return
    }
    const nowMs = performance.now()
    this.#idle.push(client)
    this.#idleSince.push(nowMs)
    if (this.#surplus > 0) this.#idleTimer.watch(nowMs + idleMs, nowMs)
  }

  /** Lends a connection to the caller that just got it, and to those behind that wait for the same. */
  #share(client: C, kind: 'read' | 'write'): void {
    const most = this.#sharing.shareOf(this.#waiters.length + 1, kind)
    if (most > 1) client.gather?.()
    let count = 1
    // A read waits for no lock of a row, and is not to wait behind a write that does.
    for (; count < most && this.#waiters[0]?.share === kind; count += 1) this.#waiters.shift()?.resolve(client)
    this.#sharing.lend(client, count)
  }

  /** Lends an idle connection in place of one that is gone; to open another one takes longer and may fail. */
  #lendIdle(): void {
    if (this.#waiters.length === 0 || this.#sharing.left <= 0) return
    const free = this.take()
    if (free !== null) this.#handOver(free)
  }

  #dismiss(client: C): void {
    client.evict()
    this.#forget(client)
  }

  /** Idle connections that were opened before this one. */
  #dismissOlder(client: C): void {
    for (const older of this.#members) {
      if (older === client) return
      if (this.#idle.includes(older)) this.#dismiss(older)
    }
  }

  #forget(client: C): void {
    if (!this.#members.delete(client)) return
    this.#leaving.delete(client)
    const at = this.#idle.indexOf(client)
    if (at >= 0) this.#removeIdle(at)
    this.#grow()
  }

  #removeIdle(at: number): void {
    this.#idle.splice(at, 1)
    this.#idleSince.splice(at, 1)
  }

  #refuseLate(nowMs: number): number | null {
    for (let next = this.#waiters[0]; next !== undefined; next = this.#waiters[0]) {
      if (next.dueMs > nowMs) return next.dueMs
      this.#waiters.shift()
      next.reject(this.#opening > 0 ? this.#parts.unopened(null) : commonError('pool', 'POOL_EXHAUSTED'))
    }
    return null
  }

  /** Lends more connections while callers have to wait for the database, and fewer while they do not. */
  #adapt(nowMs: number): number | null {
    const oldest = this.#waiters.find(({ share }) => share !== null)
    if (oldest === undefined) return null
    const load = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(load, this.#load)
    this.#load = load
    const isLate = nowMs - oldest.sinceMs >= patienceMs && this.#opening === 0
    this.#sharing.adapt(isLate && utilization < busyShare)
    if (isLate && this.#sharing.left > 0) {
      const free = this.take()
      if (free === null) this.#grow()
      else this.#handOver(free)
    }
    return nowMs + patienceMs
  }

  #closeIdle(nowMs: number): number | null {
    for (let [client] = this.#idle; client !== undefined && this.#surplus > 0; [client] = this.#idle) {
      const dueMs = (this.#idleSince[0] ?? 0) + idleMs
      if (dueMs > nowMs) return dueMs
      this.#removeIdle(0)
      this.#leaving.add(client)
      void client.end()
    }
    return null
  }
}

/** The pool was closed before the caller had a connection. */
export function poolClosedError(): FaultError {
  return commonError('closed', 'POOL_CLOSED')
}
