import { closeSync, fdatasync, openSync, readSync } from 'node:fs'

/** Bytes before the first frame, and before the page of each frame (https://sqlite.org/fileformat2.html#walformat). */
export const walHeaderBytes = 32
export const frameHeaderBytes = 24

/** The header of a WAL. */
export interface WalHeader {
  readonly pageSize: number
  /** Others each time that the WAL begins again. */
  readonly salt1: number
  readonly salt2: number
}

/** The header of a frame. */
export interface FrameHeader {
  readonly page: number
  /** Size of the database in pages where the frame ends a transaction; else 0. */
  readonly pages: number
  readonly salt1: number
  readonly salt2: number
  /** The running checksum behind the frame. */
  readonly sum1: number
  readonly sum2: number
}

/**
 * Reads a `-wal` by a descriptor of its own; closing it drops none of SQLite's locks, which are on the file and its `-shm`.
 * Whoever reads sees to it that the file is neither removed nor restarted meanwhile.
 */
export class WalFile {
  /** The database that it belongs to. */
  readonly file: string
  readonly #path: string
  #descriptor: number | null = null

  constructor(file: string) {
    this.file = file
    this.#path = `${file}-wal`
  }

  /** The header; null: there is no WAL, or an empty one. @throws what the system throws. */
  header(): WalHeader | null {
    const bytes = Buffer.allocUnsafe(walHeaderBytes)
    return this.#read(bytes, 0) < walHeaderBytes ? null : readHeader(bytes)
  }

  /** The header of a frame, from 1; null: there is none. @throws what the system throws. */
  frame(number: number, pageSize: number): FrameHeader | null {
    const bytes = Buffer.allocUnsafe(frameHeaderBytes)
    return this.#read(bytes, frameStart(number, pageSize)) < frameHeaderBytes ? null : readFrame(bytes, 0)
  }

  /** Reads whole frames from `number` on; returns how many. @throws what the system throws. */
  frames(into: Buffer, number: number, pageSize: number): number {
    return Math.floor(this.#read(into, frameStart(number, pageSize)) / (frameHeaderBytes + pageSize))
  }

  /** Resolves when what is in the WAL is on the disk. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#open()
      if (descriptor === null) return resolve()
      fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }

  #read(into: Buffer, from: number): number {
    const descriptor = this.#open()
    if (descriptor === null) return 0
    let done = 0
    while (done < into.length) {
      const read = readSync(descriptor, into, done, into.length - done, from + done)
      if (read === 0) break
      done += read
    }
    return done
  }

  #open(): number | null {
    try {
      this.#descriptor ??= openSync(this.#path, 'r')
      return this.#descriptor
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
      throw error
    }
  }
}

function frameStart(number: number, pageSize: number): number {
  return walHeaderBytes + (number - 1) * (frameHeaderBytes + pageSize)
}

/** The last bit says in which byte order the words are added that make up a checksum. */
const littleEndianMagic = 0x377f0682
const bigEndianMagic = 0x377f0683

/** Null where it is not a header, as after a torn write: SQLite takes such a WAL for empty, too. */
function readHeader(bytes: Buffer): WalHeader | null {
  const magic = bytes.readUInt32BE(0)
  if (magic !== littleEndianMagic && magic !== bigEndianMagic) return null
  return { pageSize: bytes.readUInt32BE(8), salt1: bytes.readUInt32BE(16), salt2: bytes.readUInt32BE(20) }
}

/** The frame header at this offset. */
export function readFrame(bytes: Buffer, at: number): FrameHeader {
  return {
    page: bytes.readUInt32BE(at),
    pages: bytes.readUInt32BE(at + 4),
    salt1: bytes.readUInt32BE(at + 8),
    salt2: bytes.readUInt32BE(at + 12),
    sum1: bytes.readUInt32BE(at + 16),
    sum2: bytes.readUInt32BE(at + 20),
  }
}
