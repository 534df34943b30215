import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Between two looks at the disk no more than this is journaled; the WAL grows by up to ten times as much. */
const stepBytes = 8 * 1_024

/** Room beyond that of a checkpoint; of a small disk, a part. */
const spareBytes = 8 * 1_024 * 1_024
const sparePart = 1 / 8

/** How many times the same a copy leaves: it can be made again, what clients write cannot. */
const copySpare = 3

/** Room for what is copied between two looks at the disk: an answer of the primary, in the WAL and in the file. */
const copyStepBytes = 16 * 1_024 * 1_024

/**
 * Whether a journal's disk has room for what comes after an outage: to mark and remove what was carried, too, takes space, and a
 * journal that has filled its own disk could never be emptied.
 */
export class JournalRoom {
  readonly #file: string
  #seenBytes = Number.NEGATIVE_INFINITY
  #isShort = false

  constructor(file: string) {
    this.#file = file
  }

  /** `waitingBytes`: what waits in the journal. A disk that cannot be asked has room. */
  isShort(waitingBytes: number): boolean {
    if (this.#isShort || Math.abs(waitingBytes - this.#seenBytes) >= stepBytes) {
      this.#isShort = this.#look()
      this.#seenBytes = waitingBytes
    }
    return this.#isShort
  }

  /** Whether there is room for rows that are copied, next to what clients write. */
  hasMore(): boolean {
    return !this.#look(copySpare, copyStepBytes)
  }

  #look(spare: number = 1, roomBytes: number = 0): boolean {
    try {
      const { blocks, bavail, bfree, bsize } = statfsSync(dirname(this.#file))
      if (blocks === 0) return false
      // Some blocks are kept for root.
      const free = (process.getuid?.() === 0 ? bfree : bavail) * bsize
      // A checkpoint makes the file larger by at most the WAL.
      const wal = statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0
      return free < wal + roomBytes + spare * Math.min(spareBytes, blocks * bsize * sparePart)
    } catch {
      return false
    }
  }
}
