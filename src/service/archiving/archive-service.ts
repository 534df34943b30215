import type { ArchiveState } from '../../archive/archive-state.ts'
import type { ForeignEntries } from '../../archive/entries/foreign.ts'
import type { DailyExport } from '../../archive/export/daily.ts'
import type { StartedStore, StartRestore } from '../../archive/restore/start.ts'
import type { ChainHead } from '../../archive/ship/takeover.ts'
import type { Problem } from '../../config/problem.ts'
import { heldStores, isClosed, type State } from '../../database/machine/state.ts'
import type { Archiving } from '../../database/store/archiving.ts'
import { atMost } from '../../database/store/bounded.ts'
import { systemClock } from '../../database/store/clock.ts'
import type { Demand, Shown, Store } from '../../database/store/store.ts'
import { HoldfastError } from '../../errors.ts'

/** What archives one open store: the pages of its file, or the entries of its journal. */
export interface StoreArchiver {
  /** From memory. */
  readonly state: ArchiveState
  /** The lag of `state`, which each write says: cheap. */
  readonly lagS: number | null
  /** Whether `confirmed` may be expected to resolve soon. */
  readonly canConfirm: boolean
  /** Whether it cannot be expected yet: the archive has no whole copy, and is getting one. */
  readonly isPreparing: boolean
  start(): void
  /** Resolves when everything that was committed before this call is in the archive. Rejects with ARCHIVE_UNCONFIRMED. */
  confirmed(signal?: AbortSignal): Promise<void>
  /** Ships what is left, within the limit. Never rejects. */
  close(withinMs: number): Promise<void>
}

/** An archive that the settings name. */
export interface ConfiguredArchive {
  /** No secret. */
  readonly label: string
  readonly restore: Pick<StartRestore, 'run' | 'progress' | 'standing' | 'problems'>
  /** What other processes have left of their journals in it. */
  readonly foreign: Pick<ForeignEntries, 'serving' | 'close' | 'problems'>
  /** What exports the collections for other programs. */
  readonly exports: Pick<DailyExport, 'start' | 'close' | 'problems'>
  /** What archives this store; null: nothing does. `head`: how the archive was taken over before its file was made. */
  archiverOf(store: Store, head: ChainHead | null): StoreArchiver | null
}

/** What the archive of a service is composed of. */
export interface ArchivingParts {
  /** Null: the settings name none. */
  configured(): ConfiguredArchive | null
  /** The local store whose file may be missing; null: there is none, or it cannot be archived. */
  localStore(): StartedStore | null
  /** Why the store that serves, or would, is not archived; null: it is. */
  unsuited(): Problem | null
  /** An archiver failed in a way that it must not. */
  defect(error: unknown): void
}

/** The part of the grace time in which work may still end; the rest is for shipping what it has left. */
const drainShare = 0.75

/** Seconds until it is worth asking again. */
const retryAfterS = 2

/** The archive behind the stores of a service: rows are restored before the local one is opened, and shipped while one is open. */
export class ArchiveService implements Archiving {
  readonly #parts: ArchivingParts
  readonly #archivers = new Map<Store, StoreArchiver>()
  #head: ChainHead | null = null
  #isExporting = false

  constructor(parts: ArchivingParts) {
    this.#parts = parts
  }

  /** The step of the supervisor before the fallback or local store is opened. Rejects with a FaultError. */
  async restore(signal: AbortSignal): Promise<void> {
    const configured = this.#parts.configured()
    const local = configured === null ? null : this.#parts.localStore()
    if (configured === null || local === null) return
    const started = await configured.restore.run(local, signal)
    if (started.kind !== 'present') this.#head = started.head
  }

  /** A step of the supervisor: a store that is open is archived from now on. */
  changed(state: State<Store>): void {
    const configured = this.#parts.configured()
    if (configured === null) return
    if (!this.#isExporting && state.name !== 'DISCONNECTED') {
      this.#isExporting = true
      configured.exports.start()
    }
    if (isClosed(state)) void configured.exports.close()
    configured.foreign.serving(state.name === 'PRIMARY_CONNECTED' ? state.store : null)
    for (const store of heldStores(state)) {
      if (this.#archivers.has(store)) continue
      try {
        const archiver = configured.archiverOf(store, this.#head)
        if (archiver === null) continue
        this.#head = null
        archiver.start()
        this.#archivers.set(store, archiver)
      } catch (error) {
        this.#parts.defect(error)
      }
    }
  }

  /** A step of the supervisor: ships what the work on this store has left, before it closes. */
  async leave(store: Store, drained: Promise<void>, withinMs: number): Promise<void> {
    if (store.role === 'primary') await this.#parts.configured()?.foreign.close()
    const archiver = this.#archivers.get(store)
    if (archiver === undefined) return
    const startedAt = systemClock.now()
    await atMost(systemClock, withinMs * drainShare, drained)
    const leftMs = Math.max(0, withinMs - (systemClock.now() - startedAt))
    await archiver.close(leftMs).catch((error: unknown) => this.#parts.defect(error))
    this.#archivers.delete(store)
  }

  refusal(): Error | null {
    switch (this.#parts.configured()?.restore.standing ?? null) {
      case 'restoring':
        return new HoldfastError('RESTORING', { retryAfterS })
      case 'required':
        return new HoldfastError('ARCHIVE_REQUIRED', { retryAfterS })
      case null:
        return null
    }
  }

  lagS(store: Store): number | null {
    const archiver = this.#archivers.get(store)
    return archiver === undefined ? null : (archiver.lagS ?? Number.POSITIVE_INFINITY)
  }

  canMeet(store: Store, _shown: Shown, _demand: Demand): boolean {
    return this.#archivers.get(store)?.canConfirm ?? false
  }

  isPreparing(store: Store): boolean {
    return this.#archivers.get(store)?.isPreparing ?? false
  }

  async confirmed(store: Store, _shown: Shown, signal?: AbortSignal): Promise<void> {
    const archiver = this.#archivers.get(store)
    // Its store has closed: what the archive has of it is not known any more.
    if (archiver === undefined) throw new HoldfastError('ARCHIVE_UNCONFIRMED')
    await archiver.confirmed(signal)
  }

  /** The archive as it stands; null: none is configured. */
  get state(): ArchiveState | null {
    const configured = this.#parts.configured()
    if (configured === null) return null
    const { label, restore, foreign, exports } = configured
    const [archiver] = this.#archivers.values()
    const state = archiver?.state ?? idleState(label)
    const unsuited = this.#parts.unsuited()
    // The archiver names the lineage, too, and says it for longer.
    const codes = new Set(state.problems.map(({ code }) => code))
    const problems = [
      ...restore.problems.filter(({ code }) => code !== 'ARCHIVE_EMPTY_START' || !codes.has(code)),
      ...state.problems,
      ...foreign.problems,
      ...exports.problems,
      ...(unsuited === null ? [] : [unsuited]),
    ]
    return restore.standing === null
      ? { ...state, problems }
      : { ...state, phase: 'restoring', restore: restore.progress, problems }
  }
}

/** Before anything was archived. */
function idleState(label: string): ArchiveState {
  return {
    ...{ label, phase: 'idle', lagS: null, last: null, storedBytes: 0, storedObjects: 0, failures: 0, spoolBytes: 0 },
    ...{ snapshotAtMs: null, drill: null, restore: null, problems: [] },
  }
}
