import type { Candidate } from '../../../driver/driver.ts'
import type { Standing } from '../../../driver/facet/standing.ts'
import type { Fault } from '../../../driver/fault.ts'
import type { ConnectionSettings } from '../../machine/connection-settings.ts'
import { limitedSignal, untilAborted } from '../../store/bounded.ts'
import type { Clock } from '../../store/clock.ts'
import { labelsOf } from '../../store/host-race.ts'
import { differ, isLeftBehind, judged, orphanFault, splitFault } from '../../store/standings.ts'
import type { Store } from '../../store/store.ts'
import { HostConnections } from './host-connections.ts'

/** How long a host may take to answer a look. */
const lookMs = 1_000

/** From the beginning of one look to that of the next. */
const everyMs = 2_000

/**
 * What a host of the primary's address was seen to be: it serves; a standby, or read-only; accepts writes, too, as the
 * members of some clusters do; a primary of an earlier timeline; as much the primary as the one that serves; of another
 * cluster; or it does not answer.
 */
export type HostRole = 'serving' | 'standby' | 'writable' | 'orphan' | 'rival' | 'stranger' | 'silent'

/** A host at the last look. */
export interface HostLine {
  readonly label: string
  readonly role: HostRole
  readonly timeline: number | null
  /** How many members the cluster has, as this one sees it. */
  readonly members: number | null
}

/** What the looks of one store work with. */
export interface HostLooksParts {
  readonly clock: Clock
  readonly store: Store
  limits(): ConnectionSettings['limits']
  /** The store must be left at once. */
  lose(fault: Fault): void
  /** What the server that serves says of itself. */
  stood(standing: Standing): void
  /** The hosts as a look has found them. */
  looked(hosts: readonly HostLine[]): void
}

/** Looks at every host of the address of a primary that serves, at once and then every 2 s, until it ends. */
export class HostLooks {
  readonly #parts: HostLooksParts
  readonly #connections: HostConnections
  readonly #over = new AbortController()
  /** What is known of the server that serves. */
  #serving: Standing
  #isSplit = false
  #stopWaiting = (): void => {}

  constructor(parts: HostLooksParts, serving: Standing) {
    this.#parts = parts
    this.#serving = serving
    this.#connections = new HostConnections(parts.clock)
    void this.#look()
  }

  /** Closes the connections. Safe to call twice. */
  end(): void {
    this.#stopWaiting()
    this.#over.abort(new Error('The store no longer serves.'))
    this.#connections.end()
  }

  async #look(): Promise<void> {
    const { clock, store, looked } = this.#parts
    const beganAt = clock.now()
    const limited = limitedSignal(clock, lookMs, this.#over.signal, () => new Error('The look took too long.'))
    const wasSplit = this.#isSplit
    this.#isSplit = false
    try {
      const { driver, target } = store
      const candidates = await untilAborted(driver.connect(target, this.#parts.limits()), limited.signal)
      const lines = await this.#linesOf(candidates, limited.signal)
      if (this.#over.signal.aborted) return
      looked(lines)
      const rival = lines.find(({ role }) => role === 'rival')
      // Two that answered one after the other may be one server that was restarted: the next look must say the same.
      this.#isSplit = rival !== undefined
      if (rival !== undefined && wasSplit) {
        this.#parts.lose(splitFault(store.label, { label: rival.label, standing: this.#serving }))
      }
    } catch {
      // A driver that finds no candidate now may find one at the next look.
    } finally {
      limited.end()
    }
    if (this.#over.signal.aborted) return
    const pauseMs = this.#isSplit ? 0 : Math.max(0, beganAt + everyMs - clock.now())
    this.#stopWaiting = clock.wait(pauseMs, () => void this.#look())
  }

  async #linesOf(candidates: readonly Candidate[], signal: AbortSignal): Promise<readonly HostLine[]> {
    const hosts = [...labelsOf(candidates)].flatMap((label) => candidates.find((one) => one.label === label) ?? [])
    const [only, ...others] = hosts
    if (only !== undefined && others.length === 0) return await this.#behind(only, signal)
    // First: what the others say is compared with it.
    const sorted = hosts.toSorted((a, b) => Number(this.#isServing(b.label)) - Number(this.#isServing(a.label)))
    const asked = sorted.map(async (host) => {
      const standing = await this.#connections.ask(host, signal).catch(() => null)
      if (standing !== null && this.#isServing(host.label)) this.#stand(standing)
      return { host, standing, role: this.#judge(host.label, standing) }
    })
    const seen = await Promise.all(asked)
    // Again, now that all have answered: the one that serves may have been restarted since the look before.
    return seen.map(({ host: { label }, standing }) => lineOf(label, this.#roleOf(label, standing), standing))
  }

  /**
   * Behind one name there may be a balancer: a new connection may lead to another server than those of the pool do. The kept
   * one leads to the server that serves.
   */
  async #behind(host: Candidate, signal: AbortSignal): Promise<readonly HostLine[]> {
    const { label } = host
    const found = await this.#connections.askFresh(host, signal).catch(() => null)
    if (found === null) return [lineOf(label, 'silent', null)]
    const { connection, standing } = found
    if (standing.server === this.#serving.server) {
      this.#stand(standing)
      this.#connections.keep(label, connection)
      return [lineOf(label, 'serving', standing)]
    }
    const role = this.#judge(label, standing)
    const kept = role === 'rival' ? await this.#connections.askKept(label, signal) : null
    // Gone, or restarted as the one that has answered.
    const isReplaced = role === 'rival' && (kept === null || kept.server === standing.server || !kept.isWritable)
    if (!isReplaced) {
      this.#connections.drop(connection)
      return [lineOf(label, role, standing)]
    }
    this.#stand(standing)
    this.#connections.keep(label, connection)
    return [lineOf(label, 'serving', standing)]
  }

  #isServing(label: string): boolean {
    return label === this.#parts.store.label
  }

  #stand(standing: Standing): void {
    this.#serving = standing
    if (!this.#over.signal.aborted) this.#parts.stood(standing)
  }

  /** What the host is, and leaves the store as soon as one says that it was promoted next to it. */
  #judge(label: string, standing: Standing | null): HostRole {
    const role = this.#roleOf(label, standing)
    if (standing === null || this.#over.signal.aborted) return role
    const verdict = judged(this.#serving, [{ label, standing }])
    if (verdict.is === 'orphan') this.#parts.lose(orphanFault(this.#parts.store.label, verdict.successor))
    return role
  }

  #roleOf(label: string, standing: Standing | null): HostRole {
    if (standing === null) return 'silent'
    const serving = this.#serving
    if (differ(serving, standing)) return 'stranger'
    if (standing.server === serving.server && (standing.server !== null || this.#isServing(label))) return 'serving'
    if (judged(serving, [{ label, standing }]).is === 'split') return 'rival'
    if (isLeftBehind(serving, standing)) return 'orphan'
    return standing.isWritable ? 'writable' : 'standby'
  }
}

function lineOf(label: string, role: HostRole, standing: Standing | null): HostLine {
  return { label, role, timeline: standing?.timeline ?? null, members: standing?.members ?? null }
}
