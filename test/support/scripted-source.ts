import { writeFile } from 'node:fs/promises'
import type { ArchivePosition, ArchiveSource, Cut, FileProof, FileSnapshot } from '../../src/driver/facet/archive.ts'
import { archiveGapCode, fileSharedCode } from '../../src/driver/facet/archive.ts'
import { faultError } from '../../src/driver/kit/driver-kit.ts'

/** A file as a list of rows, which outlives the processes that write it. */
export interface ScriptedFile {
  readonly fileId: string
  readonly path: string
  rows: string[]
  /** Rows before this one are in the main file only: a cut cannot give them any more. */
  carried: number
  /** How often another program has carried changes. */
  foreign: number
  /** Which process archives it. */
  holder?: ScriptedSource
}

/** What a payload holds: rows from a place on. */
export interface ScriptedPayload {
  readonly from: number
  readonly rows: readonly string[]
}

type Keep = (rest: readonly Cut[]) => Promise<void>

/** The archive's source of a process, over a scripted file. */
export class ScriptedSource implements ArchiveSource {
  readonly file: ScriptedFile
  readonly calls: string[] = []
  isRebuilt = false
  isCheckpointDue = false
  /** Of each position. */
  more: ArchivePosition = {}
  /** Most rows of a cut. */
  rowsMax = 1_000
  /** A fault of the next call, by name. */
  readonly faults: Map<string, Error> = new Map()
  /** Called within `snapshot`, before its copy is done. */
  whileCopying: () => Promise<void> = async () => {}
  #cutTo: number | null = null
  #isLost = false
  #foreign = 0

  constructor(file: ScriptedFile) {
    this.file = file
    this.#foreign = file.foreign
  }

  get fileId(): string {
    return this.file.fileId
  }

  get path(): string {
    return this.file.path
  }

  hold(): () => void {
    this.#called('hold')
    if (this.file.holder !== undefined && this.file.holder !== this)
      throw faultError('transient', fileSharedCode, 'Another process archives the file.', 'Stop it.')
    this.file.holder = this
    return () => {
      if (this.file.holder === this) delete this.file.holder
    }
  }

  async begin(position: ArchivePosition | null): Promise<boolean> {
    this.#called('begin')
    const { rows, carried } = this.file
    const { at } = position ?? {}
    const isContinuing =
      position === null ? this.isRebuilt : typeof at === 'number' && at >= carried && at <= rows.length
    this.#cutTo = isContinuing && typeof at === 'number' ? at : isContinuing ? carried : rows.length
    return isContinuing
  }

  waitingBytes(): number {
    return this.#cutTo === null || this.#isLost ? 0 : (this.file.rows.length - this.#cutTo) * 100
  }

  async cut(): Promise<Cut | null> {
    this.#called('cut')
    if (this.#isLost || this.#foreign !== this.file.foreign) {
      this.#isLost = true
      throw faultError('lost', archiveGapCode, 'Another process carried changes.', 'Wait.')
    }
    const from = this.#cutTo ?? 0
    const rows = this.file.rows.slice(from, from + this.rowsMax)
    if (rows.length === 0) return null
    this.#cutTo = from + rows.length
    const payload = new TextEncoder().encode(JSON.stringify({ from, rows }))
    return { payload, position: this.#position(), isWhole: true, isAll: this.#cutTo === this.file.rows.length }
  }

  async checkpoint(keep: Keep): Promise<ArchivePosition | null> {
    this.#called('checkpoint')
    const rest: Cut[] = []
    for (let cut = this.#isLost ? null : await this.cut(); cut !== null; cut = await this.cut()) rest.push(cut)
    await keep(rest)
    this.file.carried = this.file.rows.length
    this.isCheckpointDue = false
    return this.#position()
  }

  async snapshot(into: string, keep: Keep, signal: AbortSignal, copied?: () => void): Promise<FileSnapshot | null> {
    this.#called('snapshot')
    if (this.#isLost || this.#foreign !== this.file.foreign) {
      this.#isLost = false
      this.#foreign = this.file.foreign
      this.#cutTo = this.file.rows.length
    }
    const position = await this.checkpoint(keep)
    const rows = [...this.file.rows]
    await this.whileCopying()
    signal.throwIfAborted()
    await writeFile(into, JSON.stringify(rows))
    copied?.()
    if (position === null) return null
    const proof: FileProof = {
      ...{ fileId: this.fileId, bytes: 1, damage: [] },
      tables: [{ table: 'notes', rows: rows.length, hash: 'ab' }],
    }
    return { path: into, proof, position }
  }

  async end(keep: Keep): Promise<ArchivePosition | null> {
    this.#called('end')
    return await this.checkpoint(keep).catch(() => null)
  }

  #position(): ArchivePosition {
    return { ...this.more, at: this.#cutTo }
  }

  #called(name: string): void {
    this.calls.push(name)
    const fault = this.faults.get(name)
    this.faults.delete(name)
    if (fault !== undefined) throw fault
  }
}
