import type { Problem } from '../../config/problem.ts'
import type { ArchivePosition, ArchiveSource } from '../../driver/facet/archive.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { recordBytes } from '../format/fields.ts'
import { FormatError } from '../format/format-error.ts'
import { readLineage } from '../format/manifests.ts'
import { archiveFormat, lineageKey, rootKey, segmentKey } from '../format/names.ts'
import type { LineageRecord, RootRecord } from '../format/records.ts'
import { sealSegment } from '../format/segment.ts'
import { lineageProblem, otherStoreProblem } from '../problems.ts'
import { fetchRoot } from '../restore/root.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { type ChainEnd, probeFence, readChainEnd } from './chain.ts'
import { putSegment } from './put-segment.ts'
import type { ChainIdentity, ChainTip } from './segment-queue.ts'
import type { Spool } from './spool.ts'
import { type BaseSnapshot, freshState, readShipState, type ShipState, writeShipState } from './state-file.ts'
import { type ChainHead, putLeftovers } from './takeover.ts'

/** The chain as this process continues it. */
export interface JoinedChain {
  readonly identity: ChainIdentity
  readonly tip: ChainTip
  /** Null: what is archived is no base for what follows; a snapshot is needed. */
  readonly base: BaseSnapshot | null
  /** Whether a `gap` segment has to come first, because the `open` one promises more than was restored. */
  readonly isGapDue: boolean
  /** About the lineage; null: nothing is to be said. */
  readonly problem: Problem | null
}

/** What joining has come to. `refused`: nothing may be written there. */
export type Joining = { readonly chain: JoinedChain } | { readonly refused: Problem }

/** What joining needs. */
export interface JoiningParts {
  readonly target: ArchiveTarget
  readonly source: ArchiveSource
  readonly spool: Spool
  readonly head: ChainHead | null
  /** Wall clock, for people. */
  readonly wallMs: () => number
  readonly signal: AbortSignal
}

/** A week: for so long a lineage that began without rows, or next to newer ones, is a problem that health shows. */
const newLineageMs = 7 * 86_400_000

/** How the chain goes on. */
type Continuation =
  | { readonly as: 'same'; readonly isContiguous: boolean; readonly position: ArchivePosition | null }
  | { readonly as: 'new'; readonly why: LineageRecord['why'] }

/** Finds out where the file of a source stands in the chain of an archive, and puts the segment that opens it. */
export class Joiner {
  readonly #parts: JoiningParts
  readonly #generation: string
  /** The source is begun once, however often joining is tried. */
  #begun: { readonly position: ArchivePosition | null; readonly isContinuing: boolean } | null = null

  /** Gives the file to another process. */
  #release: (() => void) | null = null

  constructor(parts: JoiningParts) {
    this.#parts = parts
    this.#generation = parts.head?.generation ?? drawId()
  }

  /** Whether the source was begun, and is to be ended. */
  get isBegun(): boolean {
    return this.#begun !== null
  }

  /** Rejects with a TargetError or a FormatError, or what the source rejects with; it may then be called again. */
  async join(): Promise<Joining> {
    const { head, target, source, spool, signal } = this.#parts
    this.#release ??= source.hold()
    const left = await spool.open()
    if (head !== null && head.rebuilt !== null && head.lineage !== null) return await this.#afterRestore(head)
    const state = head === null ? await readShipState(spool.folder) : null
    const root = (await fetchRoot(target, signal)) ?? (await this.#begin())
    if (root === null) return await this.join()
    const isFencing = await probeFence(target, signal)
    const isKnown = await this.#isKnown(root)
    const isNewcomer =
      head !== null || (state?.isEmptyStart && (state.archive === null || state.archive === root.archive))
    if (!isKnown && !isNewcomer) return { refused: otherStoreProblem(target.label, root, this.#parts.source.fileId) }
    let end = await readChainEnd(target, isFencing, signal)
    if (isFencing && state?.archive === root.archive)
      end = (await putLeftovers(target, spool, left, root, end, signal)) ?? end
    await spool.clear()
    const next = isKnown ? await this.#continuation(root, isFencing, state, end) : await this.#anew('empty-start')
    const chain = await this.#open(root, isFencing, state, end, next)
    return chain === null ? await this.join() : { chain }
  }

  /** Nothing next to the file is touched any more. Safe to call twice. */
  leave(): void {
    this.#release?.()
  }

  /** The first process of an archive; null: another one was earlier. */
  async #begin(): Promise<RootRecord | null> {
    const { target, source, spool, wallMs, signal } = this.#parts
    const root = { format: archiveFormat, archive: drawId(), store: source.fileId, madeAt: timeText(wallMs()) }
    await writeShipState(spool.folder, { ...freshState(this.#generation), archive: root.archive }, true)
    return (await target.putNew(rootKey, recordBytes(root), signal)) === 'stored' ? root : null
  }

  /** Whether the archive, or one of its lineages, began with this file. */
  async #isKnown(root: RootRecord): Promise<boolean> {
    const { target, source, signal } = this.#parts
    if (root.store === source.fileId) return true
    for await (const page of target.list('lineages/', undefined, signal))
      for (const { key } of page) {
        const bytes = await target.get(key, signal)
        if (bytes !== null && lineageOrNull(key, bytes)?.store === source.fileId) return true
      }
    return false
  }

  async #anew(why: LineageRecord['why']): Promise<Continuation> {
    await this.#beginSource(null)
    return { as: 'new', why }
  }

  async #continuation(
    root: RootRecord,
    isFencing: boolean,
    state: ShipState | null,
    end: ChainEnd | null,
  ): Promise<Continuation> {
    if (end === null) return await this.#anew('first')
    if (state === null || state.archive !== root.archive || state.lineage === null) return await this.#anew('unknown')
    if (
      end.readable === null ||
      (end.readable.lineage === state.lineage && end.readable.store !== this.#parts.source.fileId)
    )
      return await this.#anew('unknown')
    if (end.readable.lineage !== state.lineage) return await this.#anew('behind')
    const isSame = end.number === state.number && end.hash === state.hash
    const isOwn = end.readable.generation === state.generation
    // The target has lost its end; what is there is older than the file, and no base for what follows.
    const isShort = end.number < state.number
    if (!isSame && !isOwn && !isShort) return await this.#anew('behind')
    const position = isSame ? (state.position ?? end.readable.position) : end.readable.position
    const canContinue = isFencing && !state.isBroken && !isShort && position !== null
    const isContinuing = (await this.#beginSource(canContinue ? position : null)) && canContinue
    if (isContinuing) return { as: 'same', isContiguous: true, position }
    // Opened by a process that has died before it archived anything.
    const isOnlyOpened = end.head?.kind === 'open' && end.number === state.number + 1
    if (isSame || isShort || isOnlyOpened || !isFencing) return { as: 'same', isContiguous: false, position: null }
    return { as: 'new', why: 'behind' }
  }

  async #beginSource(position: ArchivePosition | null): Promise<boolean> {
    const { source } = this.#parts
    if (this.#begun === null) this.#begun = { position, isContinuing: await source.begin(position) }
    const isSame = JSON.stringify(this.#begun.position) === JSON.stringify(position)
    return isSame && this.#begun.isContinuing
  }

  /** Puts the segment that opens the chain; null: its number was taken meanwhile. */
  async #open(
    root: RootRecord,
    isFencing: boolean,
    state: ShipState | null,
    end: ChainEnd | null,
    next: Continuation,
  ): Promise<JoinedChain | null> {
    const { source, wallMs } = this.#parts
    const number = (end?.number ?? 0) + 1
    const before = { number: number - 1, hash: end?.hash ?? null }
    const at = timeText(wallMs())
    const shared = { root, isFencing, generation: this.#generation, store: source.fileId }
    if (next.as === 'new' || state === null || state.lineage === null) {
      const why = next.as === 'new' ? next.why : 'unknown'
      const record = { lineage: drawId(), store: source.fileId, number, why, madeAt: at }
      const identity = { ...shared, lineage: record.lineage, since: number }
      return await this.#put(identity, before, { isContiguous: false, position: null, at }, null, record)
    }
    const identity = { ...shared, lineage: state.lineage, since: isFencing ? state.since : number }
    const { isContiguous, position } = next
    return await this.#put(identity, before, { isContiguous, position, at }, isContiguous ? state.base : null, null)
  }

  async #put(
    identity: ChainIdentity,
    before: { readonly number: number; readonly hash: string | null },
    opening: { readonly isContiguous: boolean; readonly position: ArchivePosition | null; readonly at: string },
    base: BaseSnapshot | null,
    record: LineageRecord | null,
  ): Promise<JoinedChain | null> {
    const { target, spool, signal } = this.#parts
    const { root, isFencing, generation, lineage, store, since } = identity
    const number = before.number + 1
    const chain = { archive: root.archive, lineage, store, generation, number, since }
    const previous = isFencing ? before.hash : null
    const segment = await sealSegment({ kind: 'open', ...chain, previous, isWhole: true, ...opening }, null)
    const { isContiguous, position } = opening
    const state = { archive: root.archive, generation, lineage, since, base, position, isBroken: !isContiguous }
    // Both before the segment is put: a process that dies in between knows its file, and its generation at the chain's end.
    if (record !== null) await target.put(lineageKey(lineage), recordBytes(record), signal)
    await writeShipState(spool.folder, { ...state, ...before, isEmptyStart: false }, true)
    const key = segmentKey(number, isFencing ? null : generation)
    const put = await putSegment(target, key, segment, signal)
    if (put !== 'stored') return null
    const tip = { number, hash: segment.hash, position }
    await writeShipState(spool.folder, { ...state, number, hash: segment.hash, isEmptyStart: false }, true)
    return { identity, tip, base, isGapDue: false, problem: await this.#problemOf(lineage, record) }
  }

  /** The chain was taken over before the file was restored. */
  async #afterRestore(head: ChainHead): Promise<Joining> {
    const { source, spool, wallMs } = this.#parts
    const { root, isFencing, generation, lineage, since, number, hash, rebuilt } = head
    const isContinuing = await this.#beginSource(null)
    if (rebuilt === null || lineage === null) throw new TypeError('Nothing was restored.')
    await spool.clear()
    const shared = { root, isFencing, generation, store: source.fileId }
    if (rebuilt.lineage !== lineage || head.store !== source.fileId) {
      const before = { number, hash }
      const identity = { ...shared, lineage: rebuilt.lineage, since: number + 1 }
      const opening = { isContiguous: false, position: null, at: timeText(wallMs()) }
      const chain = await this.#put(identity, before, opening, null, null)
      // The number is taken by one that came later still.
      return chain === null ? { chain: await this.#stale(head, rebuilt.lineage) } : { chain }
    }
    const isWhole = isFencing && rebuilt.isWhole && isContinuing
    const chain: JoinedChain = {
      identity: { ...shared, lineage, since },
      tip: { number, hash, position: null },
      base: isWhole ? rebuilt.base : null,
      isGapDue: isFencing && !isWhole,
      problem: await this.#problemOf(lineage, null),
    }
    const state = { archive: root.archive, generation, lineage, since, number, hash, base: chain.base }
    await writeShipState(spool.folder, { ...state, position: null, isBroken: !isWhole, isEmptyStart: false }, true)
    return { chain }
  }

  /** The chain of a head that was overtaken: its next segment meets a taken number. */
  async #stale(head: ChainHead, lineage: string): Promise<JoinedChain> {
    const { root, isFencing, generation, since, number, hash } = head
    const identity = { root, isFencing, generation, lineage, store: this.#parts.source.fileId, since }
    const tip = { number, hash, position: null }
    return { identity, tip, base: null, isGapDue: true, problem: null }
  }

  /** What people should know of a lineage that did not begin with the archive. */
  async #problemOf(lineage: string, record: LineageRecord | null): Promise<Problem | null> {
    const { target, wallMs, signal } = this.#parts
    const bytes = record === null ? await target.get(lineageKey(lineage), signal) : null
    const known = bytes === null ? record : lineageOrNull(lineageKey(lineage), bytes)
    if (known === null || wallMs() - Date.parse(known.madeAt) > newLineageMs) return null
    return lineageProblem(target.label, known)
  }
}

/** A damaged record keeps nothing from being archived: it is for people. */
function lineageOrNull(key: string, bytes: Uint8Array): LineageRecord | null {
  try {
    return readLineage(key, bytes)
  } catch (error) {
    if (error instanceof FormatError && error.fault === 'damaged') return null
    throw error
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
