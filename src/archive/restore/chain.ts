import type { SegmentHead, SnapshotManifest } from '../format/records.ts'
import type { SegmentObject } from './plan.ts'

/** Why no more segments are used. */
export type ChainStop =
  /** All of them were. */
  | { readonly why: 'complete' }
  /** The next one is later than what was asked for. */
  | { readonly why: 'reached' }
  | { readonly why: 'missing'; readonly number: number }
  | { readonly why: 'damaged'; readonly number: number; readonly key: string; readonly message: string }
  /** The archive itself says that changes are missing there. */
  | { readonly why: 'gap'; readonly number: number }
  | { readonly why: 'other-lineage'; readonly number: number; readonly lineage: string }
  /** The last transaction was never archived whole. */
  | { readonly why: 'unfinished'; readonly number: number }

/** Where a restored file stands. */
export interface ChainPlace {
  readonly number: number
  /** SHA-256 of the object with that number, in hex; null: not known. */
  readonly hash: string | null
  readonly position: SegmentHead['position']
  /** When its last change was committed. */
  readonly at: string
}

/** A segment that belongs to the chain. */
export interface ChainLink {
  readonly segment: SegmentObject
  readonly head: SegmentHead
  /** SHA-256 of the whole object, in hex. */
  readonly hash: string
}

/** Follows the segments behind a snapshot, one head at a time. Pure but for its own state. */
export class Chain {
  readonly #manifest: SnapshotManifest
  readonly #atMs: number | null
  #last: ChainPlace
  #whole: ChainPlace
  /** The parts of a transaction whose end has not come. */
  #parts: ChainLink[] = []

  constructor(manifest: SnapshotManifest, atMs: number | null) {
    const { number, previous, position, at } = manifest
    this.#manifest = manifest
    this.#atMs = atMs
    this.#last = { number, hash: previous, position, at }
    this.#whole = this.#last
  }

  /** The place up to which everything is whole. */
  get place(): ChainPlace {
    return this.#whole
  }

  /** The links whose pages are to be applied now, in order: none while a transaction goes on; or why the chain ends before this one. */
  next(link: ChainLink): readonly ChainLink[] | ChainStop {
    const end = this.#refusal(link)
    if (end !== null) return end
    const { head, hash } = link
    this.#last = { number: head.number, hash, position: head.position, at: head.at }
    if (head.kind === 'pages') this.#parts.push(link)
    if ((head.kind === 'pages' && !head.isWhole) || (head.kind !== 'pages' && this.#parts.length > 0)) return []
    this.#whole = this.#last
    const whole = this.#parts
    this.#parts = []
    return whole
  }

  /** What the end means, now that `end` is where reading stopped. */
  ended(end: ChainStop): ChainStop {
    const [first] = this.#parts
    return end.why === 'complete' && first !== undefined ? { why: 'unfinished', number: first.head.number } : end
  }

  #refusal({ segment, head }: ChainLink): ChainStop | null {
    const { number } = segment
    const { archive, lineage, store } = this.#manifest
    const damaged = (why: string): ChainStop => {
      return { why: 'damaged', number, key: segment.key, message: `The object ${segment.key} ${why}.` }
    }
    if (head.number !== number) return damaged(`has the number ${head.number}`)
    if (head.archive !== archive) return damaged('is of another archive')
    if (head.lineage !== lineage) return { why: 'other-lineage', number, lineage: head.lineage }
    if (head.store !== store) return damaged('is of another store')
    if (!head.isContiguous || head.kind === 'gap') return { why: 'gap', number }
    if (this.#last.hash !== null && head.previous !== this.#last.hash) return damaged('does not follow the one before')
    return this.#atMs !== null && head.kind === 'pages' && Date.parse(head.at) > this.#atMs ? { why: 'reached' } : null
  }
}
