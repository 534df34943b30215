import type { Problem } from '../../config/problem.ts'
import { openingFault } from '../../database/machine/faults.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { Driver } from '../../driver/driver.ts'
import type { FileRebuild, MissingFile } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import type { RestoreProgress } from '../archive-state.ts'
import { FormatError } from '../format/format-error.ts'
import { problemOfFailure } from '../problems.ts'
import { archiveFolder } from '../ship/spool.ts'
import { markEmptyStart } from '../ship/state-file.ts'
import { type ChainHead, takeOver } from '../ship/takeover.ts'
import { type ArchiveTarget, TargetError } from '../target/target.ts'
import { readInventory } from './inventory.ts'
import type { RestoreObservation } from './observation.ts'
import { wholeArchive } from './plan.ts'
import { asideProblem, emptyStartProblem, failureText, isNewer, restoreProblems } from './report.ts'
import { type Restored, type RestoreResult, restore } from './restorer.ts'

/** A local store whose file may be missing. */
export interface StartedStore {
  /** For its faults. */
  readonly driver: Driver
  /** Null: there is a file. Sets a damaged one aside. */
  missing(): Promise<MissingFile | null>
  rebuild(path: string): Promise<FileRebuild>
}

/** What a restore at a start works with. */
export interface StartParts {
  readonly target: ArchiveTarget
  readonly clock: Clock
  settings(): {
    /** How long the archive may give no sign of life before the service starts without rows. */
    readonly timeoutMs: number
    /** True: it waits for the archive, however long. */
    readonly isRequired: boolean
  }
  observe(seen: RestoreObservation): void
}

/**
 * `present`: there is a file. `empty`: opening makes one; what the archive has, if anything, is in another lineage. `restored`:
 * there is one now. `head`: how the archive was taken over, for whatever continues it; null: it was not, or not to any use.
 */
export type Started =
  | { readonly kind: 'present' }
  | { readonly kind: 'empty' | 'restored'; readonly head: ChainHead | null }

/** Between tries of an archive that does not answer. */
const retry = { firstMs: 500, longestMs: 10_000 }

/** Brings back the rows of a local store whose disk is empty, before anything is opened. For one target; one run at a time. */
export class StartRestore {
  readonly #parts: StartParts
  #progress: RestoreProgress | null = null
  #failure: Problem | null = null
  #lasting: readonly Problem[] = []
  /** Kept when a try fails after it: each takeover adds a segment. */
  #head: ChainHead | null = null

  constructor(parts: StartParts) {
    this.#parts = parts
  }

  /** Null: nothing is being restored. */
  get progress(): RestoreProgress | null {
    return this.#progress
  }

  /** Why no request may be served: null: they may. */
  get standing(): 'restoring' | 'required' | null {
    if (this.#progress === null) return null
    return this.#failure !== null && this.#parts.settings().isRequired ? 'required' : 'restoring'
  }

  /** What is wrong with the archive now, and what the last run could not restore. */
  get problems(): readonly Problem[] {
    return this.#failure === null ? this.#lasting : [...this.#lasting, this.#failure]
  }

  /**
   * Restores the file where it is missing. Resolves when the store can be opened. Rejects with a FaultError where its disk is in the way, and with the
   * signal's reason.
   */
  async run(store: StartedStore, signal: AbortSignal): Promise<Started> {
    const faulty = (error: unknown): never => {
      signal.throwIfAborted()
      throw error instanceof FaultError ? error : new FaultError(openingFault(store.driver, error))
    }
    const missing = await store.missing().catch(faulty)
    if (missing === null) return { kind: 'present' }
    const { target, observe } = this.#parts
    this.#progress = { bytes: 0, ofBytes: null }
    this.#lasting = []
    observe({ type: 'restore.began', label: target.label, why: missing.why, aside: missing.aside })
    try {
      return await this.#patiently(store, missing, signal)
    } catch (error) {
      return faulty(error)
    } finally {
      this.#progress = null
      this.#failure = null
    }
  }

  /** Tries until it succeeds, or the archive has given no sign of life for too long. */
  async #patiently(store: StartedStore, missing: MissingFile, signal: AbortSignal): Promise<Started> {
    const { clock } = this.#parts
    const watch = new Watch(this.#parts, signal)
    try {
      for (let pauseMs = retry.firstMs; ; pauseMs = Math.min(2 * pauseMs, retry.longestMs)) {
        try {
          return await this.#once(store, missing, watch)
        } catch (error) {
          signal.throwIfAborted()
          if (watch.signal.aborted)
            return await this.#startEmpty(missing, this.#failure?.message ?? 'No answer in time.')
          if (!(error instanceof TargetError) && !(error instanceof FormatError)) throw error
          this.#failed(error)
          if (isNewer(error) && !this.#parts.settings().isRequired)
            return await this.#startEmpty(missing, failureText(error))
        }
        await pause(clock, pauseMs, watch.signal)
        signal.throwIfAborted()
        if (watch.signal.aborted) return await this.#startEmpty(missing, this.#failure?.message ?? 'No answer in time.')
      }
    } finally {
      watch.rest()
    }
  }

  async #once(store: StartedStore, missing: MissingFile, watch: Watch): Promise<Started> {
    const { target, clock, observe } = this.#parts
    const { signal } = watch
    const startedAt = clock.now()
    const folder = archiveFolder(missing.path)
    this.#head ??= await takeOver({ target, folder, wallMs: () => clock.wallMs(), signal })
    watch.seen()
    const head = this.#head
    const inventory = head === null ? null : await readInventory(target, signal)
    if (head === null || inventory === null) {
      observe({ type: 'restore.skipped', label: target.label, why: 'nothing' })
      this.#lasting = aside(missing, null)
      return { kind: 'empty', head: null }
    }
    watch.seen()
    const progress = (seen: RestoreProgress): void => {
      this.#progress = seen
      this.#failure = null
      watch.seen()
    }
    const rebuild = (): Promise<FileRebuild> => store.rebuild(missing.path)
    const before = head.isFencing && head.number > 0 ? head.number : null
    // What is left takes as long as the file is large, and needs no archive.
    const placing = async (): Promise<void> => watch.rest()
    const result = await restore({ target, signal, rebuild, progress, placing }, inventory, { ...wholeArchive, before })
    const { restored } = result
    const [worst] = result.damaged
    // A person may bring the objects back.
    if (restored === null && worst !== undefined && this.#parts.settings().isRequired)
      throw new FormatError('damaged', worst.key, 'is damaged, and the archive has no other snapshot')
    this.#head = null
    this.#lasting = [...aside(missing, restored?.place.at ?? null), ...restoreProblems(restored, result.damaged)]
    if (restored === null) return this.#nothing(head, result)
    observe({ type: 'restore.ended', label: target.label, ...figures(restored), tookMs: clock.now() - startedAt })
    return { kind: 'restored', head: { ...head, rebuilt: rebuiltFrom(restored, head) } }
  }

  /** The archive has no complete snapshot, or none that could be used. */
  #nothing(head: ChainHead, { damaged }: RestoreResult): Started {
    const { target, observe } = this.#parts
    const [first] = damaged
    observe({ type: 'restore.skipped', label: target.label, why: first === undefined ? 'nothing' : 'unused' })
    if (first !== undefined) this.#lasting = [...this.#lasting, emptyStartProblem(target.label, first.message)]
    return { kind: 'empty', head }
  }

  /** What another process has archived meanwhile is not replaced: the file becomes a lineage of its own. */
  async #startEmpty(missing: MissingFile, why: string): Promise<Started> {
    const { target, observe } = this.#parts
    this.#head = null
    await markEmptyStart(archiveFolder(missing.path), drawId())
    this.#lasting = [...aside(missing, null), emptyStartProblem(target.label, why)]
    observe({ type: 'restore.skipped', label: target.label, why: 'unused' })
    return { kind: 'empty', head: null }
  }

  #failed(error: unknown): void {
    const problem = problemOfFailure(this.#parts.target.label, error)
    if (problem.message !== this.#failure?.message) this.#parts.observe({ type: 'restore.failed', problem })
    this.#failure = problem
  }
}

/** Ends early when the signal aborts. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = (): void => resolve()
  const cancel = clock.wait(ms, end)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  await promise
  signal.removeEventListener('abort', end)
  cancel()
}

/** Aborts when the archive has given no sign of life for too long, unless it is required. */
class Watch {
  readonly #parts: StartParts
  readonly #controller = new AbortController()
  readonly signal: AbortSignal
  #seenMs: number
  #cancel: (() => void) | null = null

  constructor(parts: StartParts, outer: AbortSignal) {
    this.#parts = parts
    this.signal = AbortSignal.any([outer, this.#controller.signal])
    this.#seenMs = parts.clock.now()
    this.seen()
  }

  seen(): void {
    this.#seenMs = this.#parts.clock.now()
    this.#cancel ??= this.#arm()
  }

  /** Until it is seen again, nothing is expected of the archive. */
  rest(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #arm(): () => void {
    const { clock, settings } = this.#parts
    const leftMs = settings().timeoutMs - (clock.now() - this.#seenMs)
    return clock.wait(Math.max(0, leftMs), () => {
      const { timeoutMs, isRequired } = settings()
      this.#cancel = null
      if (isRequired) this.seen()
      else if (clock.now() - this.#seenMs < timeoutMs) this.#cancel = this.#arm()
      else
        this.#controller.abort(
          new TargetError('unreachable', 'The archive gave no sign of life.', 'Check ARCHIVE_URL.'),
        )
    })
  }
}

function rebuiltFrom({ manifest, place, end }: Restored, head: ChainHead): ChainHead['rebuilt'] {
  const { lineage, number, at, bytes } = manifest
  const isLast = !head.isFencing || place.number === head.number - 1
  const isWhole = end.why === 'complete' && lineage === head.lineage && isLast
  return { lineage, base: { number, atMs: Date.parse(at), bytes }, isWhole }
}

function figures({
  proof,
  bytes,
  place,
  end,
}: Restored): Omit<Extract<RestoreObservation, { readonly type: 'restore.ended' }>, 'type' | 'label' | 'tookMs'> {
  const rows = proof.tables.reduce((sum, table) => sum + table.rows, 0)
  return { rows, tables: proof.tables.length, bytes, number: place.number, at: place.at, end: end.why }
}

function aside({ aside: path }: MissingFile, at: string | null): readonly Problem[] {
  return path === null ? [] : [asideProblem(path, at)]
}
