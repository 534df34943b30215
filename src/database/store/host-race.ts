import type { Candidate, Facts, Want } from '../../driver/driver.ts'
import type { Standing } from '../../driver/facet/standing.ts'
import { limitedSignal } from './bounded.ts'
import type { Clock } from './clock.ts'
import { askStanding, proveCandidate } from './proof.ts'

/** How long a host is tried before the next one starts next to it. */
const staggerMs = 250

/** How long the hosts that have answered are left alone while others hang. */
const againMs = 250

/**
 * How long the others may take to say their standing to one that is about to serve: so many times as long as its own proof
 * has taken, since a busy machine is slow with all of them, within these milliseconds.
 */
const standing = { times: 3, leastMs: 250, mostMs: 2_000 } as const

/** How often one name may lead to a standby in a row before it counts as one. */
const standbysMax = 4

/** A candidate that gave the proof. */
export interface ProvenHost {
  readonly candidate: Candidate
  readonly facts: Facts
}

/** What a race needs. */
export interface HostRaceParts {
  /** All of the address. */
  readonly candidates: readonly Candidate[]
  readonly want: Want
  /** False: one at a time, as the files of an embedded database. */
  readonly isSideBySide: boolean
  /**
   * Where two of them accepted writes a moment ago: how long each may take to say its standing. One that takes longer is cut
   * off or without power. Null: they did not.
   */
  readonly splitMs: number | null
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Labels of hosts that have kept others waiting, of all races of the address; they are tried last. */
  readonly slow: Set<string>
  /** Whether no other candidate may be tried after this failure. */
  isFinal(error: unknown): boolean
  /** Whether the host accepts no writes, and may do so soon. */
  isStandby(error: unknown): boolean
}

/** Tries the hosts of an address side by side, so that one that hangs takes no time of the others. Leaves nothing open. */
export class HostRace {
  readonly #parts: HostRaceParts
  readonly #failures = new Map<Candidate, unknown>()
  /** By label. */
  readonly #heard = new Map<string, Standing>()
  readonly #beganAt = new Map<string, number>()

  constructor(parts: HostRaceParts) {
    this.#parts = parts
  }

  /** How many hosts the address has. */
  get hosts(): number {
    return labelsOf(this.#parts.candidates).size
  }

  /** Why each of those that were tried cannot serve. */
  get failures(): ReadonlyMap<Candidate, unknown> {
    return this.#failures
  }

  /** Counts as a failure of this candidate. */
  fail(candidate: Candidate, error: unknown): void {
    this.#failures.set(candidate, error)
  }

  /**
   * The first of these that gives the proof, round by round; null when none does. A single name that leads to a standby may be a
   * balancer's, which leads the next connection elsewhere. Never rejects.
   */
  async first(tried: readonly Candidate[]): Promise<ProvenHost | null> {
    const mayLeadElsewhere = (): boolean =>
      this.#parts.isSideBySide && this.hosts === 1 && !this.isOver && tried.some((one) => this.#mayBePromoted(one))
    let proven = await this.#firstRound(tried)
    for (let more = standbysMax - 1; more > 0 && proven === null && mayLeadElsewhere(); more -= 1) {
      proven = await this.#firstRound(tried)
    }
    return proven
  }

  async #firstRound(tried: readonly Candidate[]): Promise<ProvenHost | null> {
    const rounds = new Set(tried.map(roundOf).toSorted((a, b) => a - b))
    for (const round of rounds) {
      const ofRound = tried.filter((candidate) => roundOf(candidate) === round)
      const { slow } = this.#parts
      const [late, soon] = [true, false].map((is) => ofRound.filter(({ label }) => slow.has(label) === is))
      const proven = await this.#firstOf([...(soon ?? []), ...(late ?? [])])
      if (proven !== null || this.isOver) return proven
    }
    return null
  }

  /** True when no other candidate may be tried. */
  get isOver(): boolean {
    return this.#parts.signal.aborted || [...this.#failures.values()].some((error) => this.#parts.isFinal(error))
  }

  /** The first of one round, in this order. */
  #firstOf(candidates: readonly Candidate[]): Promise<ProvenHost | null> {
    const { clock, signal, isSideBySide, slow } = this.#parts
    const over = new AbortController()
    const { promise, resolve } = Promise.withResolvers<ProvenHost | null>()
    const queue = [...candidates]
    let running = 0
    let stopWaiting = (): void => {}
    const end = (proven: ProvenHost | null): void => {
      if (over.signal.aborted) return
      stopWaiting()
      over.abort(new Error('Another host was first.'))
      resolve(proven)
    }
    const failed = (candidate: Candidate, error: unknown): void => {
      if (over.signal.aborted) return
      running -= 1
      this.#failures.set(candidate, error)
      if (!signal.aborted) slow.delete(candidate.label)
      if (this.isOver) end(null)
      else startNext()
    }
    const begin = (candidate: Candidate): void => {
      running += 1
      this.#failures.delete(candidate)
      this.#prove(candidate, AbortSignal.any([signal, over.signal])).then(
        (facts) => {
          slow.delete(candidate.label)
          end({ candidate, facts })
        },
        (error: unknown) => failed(candidate, error),
      )
    }
    const startNext = (): void => {
      stopWaiting()
      const candidate = queue.shift()
      if (candidate !== undefined) {
        begin(candidate)
        if (!isSideBySide || queue.length === 0) return
        stopWaiting = clock.wait(staggerMs, () => {
          slow.add(candidate.label)
          startNext()
        })
      } else if (running === 0) end(null)
      // Those that hang must not keep one from serving that is promoted meanwhile.
      else if (isSideBySide) {
        stopWaiting = clock.wait(againMs, () => {
          queue.push(...candidates.filter((one) => this.#mayBePromoted(one)))
          startNext()
        })
      }
    }
    startNext()
    return promise
  }

  #mayBePromoted(candidate: Candidate): boolean {
    return this.#failures.has(candidate) && this.#parts.isStandby(this.#failures.get(candidate))
  }

  async #prove(candidate: Candidate, signal: AbortSignal): Promise<Facts> {
    const { want, clock, candidates } = this.#parts
    this.#beganAt.set(candidate.label, clock.now())
    const isAlone = labelsOf(candidates).size === 1
    const hear = (said: Standing): void => void this.#heard.set(candidate.label, said)
    const { facts } = await proveCandidate(candidate, want, clock, signal, isAlone ? undefined : hear)
    if (facts.standing !== undefined) hear(facts.standing)
    return facts
  }

  /**
   * What each host says of its place, by label; of those that do not say it in time, nothing. `winner`: the one that is about
   * to serve. Never rejects.
   */
  async standings(winner: string): Promise<ReadonlyMap<string, Standing>> {
    const { candidates, clock, signal, splitMs } = this.#parts
    const tookMs = clock.now() - (this.#beganAt.get(winner) ?? clock.now())
    const standingMs = splitMs ?? Math.min(standing.mostMs, Math.max(standing.leastMs, standing.times * tookMs))
    const labels = [...labelsOf(candidates)].filter(
      (label) => !this.#heard.has(label) && this.#mayAnswer(label, standingMs),
    )
    if (labels.length === 0) return this.#heard
    const limited = limitedSignal(clock, standingMs, signal, () => new Error('It did not answer in time.'))
    const ask = async (label: string): Promise<void> => {
      const candidate = candidates.find((one) => one.label === label)
      if (candidate === undefined) return
      const said = await askStanding(candidate, clock, limited.signal).catch(() => null)
      if (said !== null) this.#heard.set(label, said)
    }
    await Promise.all(labels.map(ask))
    limited.end()
    return this.#heard
  }

  /** Not one that failed, or has had that time already. */
  #mayAnswer(label: string, standingMs: number): boolean {
    const beganAt = this.#beganAt.get(label) ?? null
    const { clock, splitMs } = this.#parts
    if (splitMs === null && beganAt !== null && clock.now() - beganAt >= standingMs) return false
    return ![...this.#failures.keys()].some((candidate) => candidate.label === label)
  }
}

/** The labels of the hosts: a host may be a candidate of several rounds. */
export function labelsOf(candidates: readonly Candidate[]): ReadonlySet<string> {
  return new Set(candidates.map(({ label }) => label))
}

function roundOf({ round = 0 }: Candidate): number {
  return round
}
