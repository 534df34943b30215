import type { ArchivePosition } from '../../driver/facet/archive.ts'
import { segmentKey } from '../format/names.ts'
import type { RootRecord, SegmentHead } from '../format/records.ts'
import { sealSegment } from '../format/segment.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { putSegment, type TakenNumber } from './put-segment.ts'
import type { Spool } from './spool.ts'

/** Which chain this process writes. */
export interface ChainIdentity {
  readonly root: RootRecord
  readonly isFencing: boolean
  readonly generation: string
  readonly lineage: string
  readonly store: string
  readonly since: number
}

/** The end of the chain. */
export interface ChainTip {
  readonly number: number
  readonly hash: string | null
  readonly position: ArchivePosition | null
}

/** What a segment is made of. */
export interface SegmentDraft extends Pick<SegmentHead, 'kind' | 'isContiguous' | 'isWhole' | 'position' | 'at'> {
  readonly payload: Uint8Array | null
  /** When its oldest change was committed, on the monotonic clock. */
  readonly oldestMs: number
}

/** A segment that is not stored yet. */
interface Waiting {
  readonly tip: ChainTip
  readonly key: string
  readonly hash: string
  readonly size: number
  readonly oldestMs: number
  /** Null: it is in the spool only. */
  bytes: Uint8Array | null
  isOnDisk: boolean
  /** Whether the target may have it. */
  isTried: boolean
}

/** What became of the next segment. */
export type ShipOutcome =
  | { readonly is: 'stored'; readonly key: string; readonly number: number; readonly bytes: number }
  | { readonly is: 'taken'; readonly by: TakenNumber }

/** Segments in the order of the chain, from their making until they are stored: the first in memory, the others on the disk. */
export class SegmentQueue {
  readonly #target: ArchiveTarget
  readonly #spool: Spool
  readonly #identity: ChainIdentity
  readonly #waiting: Waiting[] = []
  #stored: ChainTip
  /** Makings come one after the other: each has the hash of the one before. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(target: ArchiveTarget, spool: Spool, identity: ChainIdentity, tip: ChainTip) {
    this.#target = target
    this.#spool = spool
    this.#identity = identity
    this.#stored = tip
  }

  /** The last segment that was made. */
  get tip(): ChainTip {
    return this.#waiting.at(-1)?.tip ?? this.#stored
  }

  /** The last segment that is stored. */
  get stored(): ChainTip {
    return this.#stored
  }

  /** The last segment that is stored or, without a gap behind that, on the disk. */
  get kept(): ChainTip {
    const first = this.#waiting.findIndex(({ isOnDisk }) => !isOnDisk)
    return (first < 0 ? this.tip : this.#waiting[first - 1]?.tip) ?? this.#stored
  }

  get length(): number {
    return this.#waiting.length
  }

  /** When the oldest change that waits here was committed; null: nothing waits. */
  get oldestMs(): number | null {
    return this.#waiting[0]?.oldestMs ?? null
  }

  /** The bytes of all that is not on the disk. */
  get memoryBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + (bytes?.byteLength ?? 0), 0)
  }

  /** Makes the next segment. It stays in memory where the disk does not take it. */
  add(draft: SegmentDraft): Promise<void> {
    const made = this.#turn.then(() => this.#add(draft))
    this.#turn = made.catch(() => {})
    return made
  }

  /** Writes what waits to the disk; resolves when it survives a power cut. */
  async keep(): Promise<void> {
    await this.#turn
    for (const one of [...this.#waiting]) await this.#toDisk(one)
    await this.#spool.sync()
  }

  /**
   * Drops what waits but for a segment that may be stored already. What is made from then on does not follow what was dropped:
   * the caller makes a `gap` of it.
   */
  async drop(): Promise<void> {
    await this.#turn
    const kept = this.#waiting[0]?.isTried ? 1 : 0
    const dropped = this.#waiting.splice(kept)
    for (const { tip } of dropped) await this.#spool.remove(tip.number)
  }

  /** Puts the first segment. Null: nothing waits. Rejects with a TargetError, and may be called again. */
  async ship(signal: AbortSignal): Promise<ShipOutcome | null> {
    const first = this.#waiting[0]
    if (first === undefined) return null
    // Before anything is awaited: `drop` keeps what may be on its way.
    first.isTried = true
    const bytes = first.bytes ?? (await this.#spool.read(first.tip.number))
    if (bytes === null) throw new Error(`The spool has lost segment ${first.tip.number}.`)
    const put = await putSegment(this.#target, first.key, { bytes, hash: first.hash }, signal)
    if (put !== 'stored') return { is: 'taken', by: put }
    this.#waiting.shift()
    this.#stored = first.tip
    await this.#spool.remove(first.tip.number)
    return { is: 'stored', key: first.key, number: first.tip.number, bytes: first.size }
  }

  async #add({ payload, oldestMs, ...draft }: SegmentDraft): Promise<void> {
    const { root, isFencing, generation, lineage, store, since } = this.#identity
    const { hash: previous, number: last } = this.tip
    const number = last + 1
    const chain = { archive: root.archive, lineage, store, generation, number, since, previous }
    const { bytes, hash } = await sealSegment({ ...chain, ...draft }, payload)
    const key = segmentKey(number, isFencing ? null : generation)
    // A gap has no place of its own: what follows begins where the one before it ends, as far as that is known.
    const tip = { number, hash, position: draft.position }
    const one: Waiting = {
      ...{ tip, key, hash, size: bytes.byteLength, oldestMs, bytes },
      ...{ isOnDisk: false, isTried: false },
    }
    this.#waiting.push(one)
    if (this.#waiting.length > 1) await this.#toDisk(one).catch(() => {})
  }

  async #toDisk(one: Waiting): Promise<void> {
    if (one.bytes !== null && !one.isOnDisk) {
      // Written before it is said to be there; stored meanwhile, it is removed by whoever removes what is stored.
      await this.#spool.write(one.tip.number, one.bytes)
      if (this.#stored.number >= one.tip.number) await this.#spool.remove(one.tip.number)
      one.isOnDisk = true
    }
    if (this.#waiting[0] !== one) one.bytes = null
  }
}
