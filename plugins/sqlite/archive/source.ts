import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type ArchivePosition,
  type ArchiveSource,
  type Cut,
  type FileSnapshot,
  faultError,
  freeBytes,
} from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import { closedError } from '../faults.ts'
import type { Handle } from '../handle.ts'
import { holdFile } from '../journal/owner.ts'
import { readLife } from '../journal/tables.ts'
import { sizeOf } from '../proof/prepare-file.ts'
import type { Sync } from '../sync.ts'
import type { Writer } from '../writer.ts'
import { copyFile } from './child.ts'
import { Cutter, gapError, isGap } from './cutter.ts'
import { ReadMark } from './marks.ts'
import { type Place, positionOf } from './place.ts'
import { type Keep, Restart } from './restart.ts'
import { endOf, mainNow, startOf } from './start.ts'
import { frameHeaderBytes, WalFile } from './wal-file.ts'

/** Frames in the WAL from which on it is carried: reads slow down with its length. */
const dueFrames = 10_000
/** A WAL that has become longer than this, by one large transaction or behind a reader that stayed, is cut short. */
const emptiedFrames = 40_000
/** How long a carry that was in the way of a reader is not tried again, at first and at most. */
const retryMs = { first: 500, most: 30_000 } as const
/** Most bytes of one cut where nobody says how many: they are in memory. */
const restBytes = 8 * 1024 * 1024
/** What a snapshot leaves free on the disk: writes of clients come first. */
const marginBytes = 64 * 1024 * 1024

/** What the archive needs of the open file. */
export interface ArchiveGround {
  readonly path: string
  readonly hot: Handle
  readonly writer: Writer
  readonly sync: Sync
  readonly limitMs: number
  /** Whether SQLite may carry the WAL by itself, on every connection that writes. */
  setAutomatic(isAutomatic: boolean): void
}

/** What is open from `begin` to `end`. */
interface Begun {
  readonly mark: ReadMark
  readonly wal: WalFile
  readonly restart: Restart
  cutter: Cutter
}

/** Takes the changes of a local store out of its WAL. */
export class FileArchive implements ArchiveSource {
  readonly fileId: string
  readonly path: string
  readonly #ground: ArchiveGround
  #begun: Begun | null = null
  /** Changes were lost: only a snapshot continues. */
  #isLost = false
  #isCopying = false
  /** Calls come one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #retry = { atMs: 0, waitMs: retryMs.first as number }
  #pageSize = 4_096

  /** @throws what the client throws. */
  constructor(ground: ArchiveGround) {
    this.#ground = ground
    this.path = ground.path
    this.fileId = readLife(ground.hot.native)?.id ?? ''
  }

  hold(): () => void {
    return holdFile(this.path, 'Another process archives the file of this store.')
  }

  async begin(position: ArchivePosition | null): Promise<boolean> {
    if (this.#begun !== null) throw new TypeError('The archive was begun already.')
    const { path, limitMs, setAutomatic } = this.#ground
    setAutomatic(false)
    const mark = new ReadMark(path)
    const wal = new WalFile(path)
    try {
      await whileBusy(() => mark.renew(), limitMs)
      const frames = mark.frames()
      this.#pageSize = Number(this.#ground.hot.native.pragma('page_size', { simple: true }))
      const start = startOf(position, wal, frames, mainNow(path))
      const cutter = new Cutter(wal, start ?? endOf(wal, frames))
      if (mark.isAtStart && cutter.framesCut() === frames) cutter.carried()
      this.#begun = { mark, wal, cutter, restart: new Restart({ ...this.#ground, mark }) }
      return start !== null
    } catch (error) {
      mark.close()
      wal.close()
      setAutomatic(true)
      throw error
    }
  }

  waitingBytes(): number {
    if (this.#begun === null || this.#isLost) return 0
    try {
      const { mark, cutter } = this.#begun
      const from = cutter.framesCut()
      // A gap: the next cut finds it.
      if (from === null) return 1
      return Math.max(0, mark.frames() - from) * (frameHeaderBytes + this.#pageSize)
    } catch {
      // What cannot be read may wait: the next cut says what is wrong.
      return 1
    }
  }

  cut(maxBytes: number): Promise<Cut | null> {
    return this.#inTurn(() => this.#cut(maxBytes))
  }

  get isCheckpointDue(): boolean {
    if (this.#begun === null || this.#isCopying || performance.now() < this.#retry.atMs) return false
    const { place } = this.#begun.cutter
    return !place.isCarried && place.frame >= dueFrames
  }

  checkpoint(keep: Keep): Promise<ArchivePosition | null> {
    return this.#inTurn(() => this.#carry(keep))
  }

  async snapshot(into: string, keep: Keep, signal: AbortSignal, copied?: () => void): Promise<FileSnapshot | null> {
    signal.throwIfAborted()
    await assertRoom(this.path, into)
    const position = await this.#inTurn(async () => {
      const carried = await this.#carry(keep, { isAfresh: true })
      // Only then nothing can change the main file.
      this.#isCopying = carried?.main != null
      return this.#isCopying ? carried : null
    })
    if (position === null) return null
    const released = (): void => {
      this.#isCopying = false
    }
    const begun = this.#begun
    let isOfOneMoment = false
    try {
      const proof = await copyFile(this.path, into, signal, () => {
        // Where the archive has ended meanwhile, SQLite may have carried changes into what was copied.
        isOfOneMoment = this.#begun === begun
        released()
        if (isOfOneMoment) copied?.()
      })
      if (!isOfOneMoment) throw closedError()
      return { path: into, proof, position }
    } catch (error) {
      await rm(into, { force: true }).catch(() => {})
      throw error
    } finally {
      released()
    }
  }

  async end(keep: Keep): Promise<ArchivePosition | null> {
    try {
      return await this.#inTurn(() => this.#end(keep))
    } catch {
      return null
    } finally {
      this.close()
    }
  }

  async #end(keep: Keep): Promise<ArchivePosition | null> {
    const begun = this.#begun
    if (begun === null || this.#isLost) return null
    await this.#keepAll(keep)
    const carried = await this.#carry(keep, { isEmptied: true }).catch(() => null)
    await begun.restart.end()
    return carried ?? positionOf({ place: begun.cutter.place, main: null })
  }

  /** Ends the thread; then `close` is quick, and nothing has the file open behind it. */
  async settle(): Promise<void> {
    await this.#begun?.restart.end()
  }

  /** Frees everything at once; SQLite carries the WAL by itself again. Safe to call twice. */
  close(): void {
    const begun = this.#begun
    if (begun === null) return
    this.#begun = null
    begun.mark.close()
    begun.wal.close()
    begun.restart.close()
    this.#ground.setAutomatic(true)
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  get #use(): Begun {
    if (this.#begun === null) throw new TypeError('The archive was not begun.')
    return this.#begun
  }

  async #cut(maxBytes: number): Promise<Cut | null> {
    const { cutter, mark } = this.#use
    if (this.#isLost) throw gapError()
    try {
      const end = mark.frames()
      if (end !== cutter.framesCut()) await this.#durable()
      return await cutter.cut(end, maxBytes)
    } catch (error) {
      this.#isLost ||= isGap(error)
      throw error
    }
  }

  /** Resolves when everything that is committed is on the disk. */
  async #durable(): Promise<void> {
    const { sync } = this.#ground
    if (sync.failure !== null) throw sync.failure
    const { after } = sync
    // SQLite itself has synced what is ours; what another process committed may not be.
    if (after === null) return await this.#use.wal.sync()
    await new Promise<void>((resolve, reject) => {
      after((error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Cuts what is committed now, without the writer; resolves with the frames that came meanwhile, which are left. */
  async #keepAll(keep: Keep): Promise<number> {
    if (this.#isLost) return 0
    const { mark, cutter } = this.#use
    const end = mark.frames()
    // The WAL does not begin again meanwhile.
    while ((cutter.framesCut() ?? end) < end) {
      const { place } = cutter
      const cut = await this.#cut(restBytes)
      if (cut === null) break
      await kept(keep, [cut], cutter, place)
    }
    return mark.frames() - end
  }

  /** `isAfresh`: where changes were lost, what follows begins here. `isEmptied`: nothing is left in the WAL. */
  async #carry(keep: Keep, { isAfresh = false, isEmptied = false } = {}): Promise<ArchivePosition | null> {
    const begun = this.#use
    if (this.#isCopying) return null
    const wasLost = this.#isLost
    const outcome = await begun.restart.run({
      isEmptied: isEmptied || begun.mark.frames() > emptiedFrames,
      cutMost: () => this.#keepAll(keep),
      cutRest: async () => {
        if (wasLost && isAfresh) {
          begun.cutter = new Cutter(begun.wal, endOf(begun.wal, begun.mark.frames()))
          this.#isLost = false
        }
        const { cutter } = begun
        const { place } = cutter
        const rest: Cut[] = []
        for (let cut = await this.#rest(); cut !== null; cut = await this.#rest()) rest.push(cut)
        await kept(keep, rest, cutter, place)
      },
    })
    if (outcome.isCarried && !this.#isLost) begun.cutter.carried()
    if (!outcome.isRestarted) this.#isLost = wasLost
    if (outcome.isForeign) {
      this.#isLost = true
      throw gapError()
    }
    this.#waited(outcome.isRestarted)
    if (!outcome.isRestarted) return null
    const main = await begun.restart.settledMain()
    return positionOf({ place: begun.cutter.place, main })
  }

  async #rest(): Promise<Cut | null> {
    return this.#isLost ? null : await this.#cut(restBytes)
  }

  /** A reader that stays is not met each time. */
  #waited(isDone: boolean): void {
    const waitMs = isDone ? retryMs.first : Math.min(retryMs.most, this.#retry.waitMs * 2)
    this.#retry = { atMs: isDone ? 0 : performance.now() + this.#retry.waitMs, waitMs }
  }
}

/** What could not be kept is cut again. */
async function kept(keep: Keep, rest: readonly Cut[], cutter: Cutter, place: Place): Promise<void> {
  try {
    await keep(rest)
  } catch (error) {
    cutter.back(place)
    throw error
  }
}

async function assertRoom(path: string, into: string): Promise<void> {
  const needed = (await sizeOf(path)) + marginBytes
  const free = await freeBytes(dirname(into))
  if (free === null || free >= needed) return
  const summary = `A snapshot needs ${needed} bytes of free disk space; ${free} are free.`
  throw faultError('disk-full', 'SQLITE_NO_ROOM', summary, 'Free disk space; Holdfast tries again.')
}
