import { archiveGapCode, type Cut, FaultError, faultError } from '../../../src/driver/kit/driver-kit.ts'
import { nextTurn } from '../own-changes.ts'
import { encodePages, pageHeadBytes } from './pages.ts'
import { type Place, positionOf } from './place.ts'
import { frameHeaderBytes, readFrame, type WalFile, type WalHeader } from './wal-file.ts'

/** Read at once. */
const chunkBytes = 256 * 1024
/** How long the event loop may stand still. */
const sliceMs = 3
/** A cut has room for this many pages, whatever their size. */
const pagesMin = 4

/** Takes the changes out of a WAL, from one place to the next. */
export class Cutter {
  readonly #wal: WalFile
  #place: Place

  constructor(wal: WalFile, place: Place) {
    this.#wal = wal
    this.#place = place
  }

  /** Behind what was cut. */
  get place(): Place {
    return this.#place
  }

  /** What was cut behind an earlier place is cut again. */
  back(place: Place): void {
    this.#place = place
  }

  /** Everything up to the place was carried into the main file, and a mark is held since: whichever WAL follows begins there. */
  carried(): void {
    this.#place = { ...this.#place, isCarried: true }
  }

  /** Frames of the WAL that were cut; null: it does not continue the place. Reads two headers. @throws what the system throws. */
  framesCut(): number | null {
    const header = this.#wal.header()
    return header === null ? this.#emptyFrom() : this.#from(header)
  }

  /**
   * The changes from the place up to frame `end` at most, which ends a transaction and is synced; about `maxBytes`. Null where
   * the place is there already. @throws FaultError of `archiveGapCode`; what the system throws. Then the place is as it was.
   */
  async cut(end: number, maxBytes: number): Promise<Cut | null> {
    const header = this.#wal.header()
    const from = header === null ? this.#emptyFrom() : this.#from(header)
    // A writer that was to begin the WAL again has failed, as on a full disk: its index is new, and the header the old one.
    if (end === 0 && this.#place.isCarried) return null
    if (from === null || end < from) throw gapError()
    if (header === null || end === from) return null
    const { pageSize, salt1, salt2 } = header
    const changes = new Changes(Math.max(pagesMin, Math.floor(maxBytes / (pageSize + pageHeadBytes))))
    const last = await this.#read(header, from, end, changes)
    // What was read is of one WAL only if it is still the same one.
    if (last === null || this.#wal.header()?.salt2 !== salt2) throw gapError()
    const { frame, sum1, sum2 } = last
    const place: Place = { salts: { salt1, salt2 }, frame, sum1, sum2, isCarried: false }
    const payload = encodePages({ pageSize, ...changes.taken(last.pages) })
    this.#place = place
    return { payload, position: positionOf({ place, main: null }), isWhole: last.pages > 0, isAll: frame === end }
  }

  /** Where the last transaction that fits ends; the last frame that fits where not even one does. Null: another WAL. */
  async #read(header: WalHeader, from: number, end: number, changes: Changes): Promise<End | null> {
    const { pageSize } = header
    const size = frameHeaderBytes + pageSize
    const chunk = Buffer.allocUnsafeSlow(Math.max(1, Math.floor(chunkBytes / size)) * size)
    let committed: End | null = null
    let before: End | null = null
    let since = performance.now()
    for (let number = from + 1; number <= end; ) {
      const wanted = Math.min(chunk.length / size, end - number + 1)
      const read = this.#wal.frames(chunk.subarray(0, wanted * size), number, pageSize)
      if (read === 0) return null
      for (let index = 0; index < read; index += 1) {
        const frame = readFrame(chunk, index * size)
        if (frame.salt1 !== header.salt1 || frame.salt2 !== header.salt2) return null
        if (changes.isFull(frame.page)) return committed ?? before
        changes.add(frame.page, chunk.subarray(index * size + frameHeaderBytes, (index + 1) * size))
        before = { pages: frame.pages, frame: number + index, sum1: frame.sum1, sum2: frame.sum2 }
        if (frame.pages === 0) continue
        changes.commit()
        committed = before
      }
      number += read
      if (performance.now() - since > sliceMs) {
        await nextTurn()
        since = performance.now()
      }
    }
    return committed
  }

  /** How many frames of this WAL are before the place; null: the WAL does not continue it. */
  #from(header: WalHeader): number | null {
    const { salts, isCarried, frame, sum1, sum2 } = this.#place
    if (salts === null) return 0
    if (header.salt1 !== salts.salt1 || header.salt2 !== salts.salt2) return isCarried ? 0 : null
    const last = this.#wal.frame(frame, header.pageSize)
    // The checksum is over everything before it, too.
    return last !== null && last.salt2 === salts.salt2 && last.sum1 === sum1 && last.sum2 === sum2 ? frame : null
  }

  #emptyFrom(): number | null {
    return this.#place.isCarried ? 0 : null
  }
}

/** Where a cut ends. */
interface End {
  /** Size of the file in pages; 0: within a transaction. */
  readonly pages: number
  readonly frame: number
  readonly sum1: number
  readonly sum2: number
}

/** Pages as they are collected: the last version of each, by transaction. */
class Changes {
  readonly #pagesMax: number
  readonly #committed: Map<number, Buffer> = new Map()
  readonly #open: Map<number, Buffer> = new Map()
  /** Of versions that were replaced. */
  readonly #free: Buffer[] = []
  /** Different pages in both. */
  #count = 0

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax
  }

  /** Whether there is no room for this page. */
  isFull(page: number): boolean {
    return this.#count >= this.#pagesMax && !this.#has(page)
  }

  #has(page: number): boolean {
    return this.#open.has(page) || this.#committed.has(page)
  }

  add(page: number, content: Buffer): void {
    if (!this.#has(page)) this.#count += 1
    const kept = this.#open.get(page) ?? this.#free.pop() ?? Buffer.allocUnsafeSlow(content.length)
    content.copy(kept)
    this.#open.set(page, kept)
  }

  commit(): void {
    for (const [page, content] of this.#open) {
      const before = this.#committed.get(page)
      if (before !== undefined) this.#free.push(before)
      this.#committed.set(page, content)
    }
    this.#open.clear()
  }

  /** What was committed; of a transaction that did not fit what there is of it (`pages` 0). */
  taken(pages: number): { readonly pages: number; readonly numbers: number[]; readonly contents: Uint8Array[] } {
    const all = pages === 0 ? this.#open : this.#committed
    // A file that has shrunk has no page behind its end.
    const kept = [...all].filter(([page]) => pages === 0 || page <= pages).sort(([one], [other]) => one - other)
    return { pages, numbers: kept.map(([page]) => page), contents: kept.map(([, content]) => content) }
  }
}

/** Whether an error says that changes were lost to the archive. */
export function isGap(error: unknown): boolean {
  return error instanceof FaultError && error.fault.code === archiveGapCode
}

/** Changes were lost to the archive. */
export function gapError(): Error {
  const summary = 'Another process carried changes into the SQLite file before they were archived.'
  const hint = 'Holdfast takes a new snapshot; let no other program write to the file of an archived store.'
  return faultError('lost', archiveGapCode, summary, hint)
}
