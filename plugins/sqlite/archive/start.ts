import { statSync } from 'node:fs'
import type { ArchivePosition } from '../../../src/driver/kit/driver-kit.ts'
import { Cutter } from './cutter.ts'
import { keptPosition, mainText, type Place, placeAtStart } from './place.ts'
import { rebuiltMain } from './rebuild.ts'
import type { WalFile } from './wal-file.ts'

/** Where the changes behind a position begin in this WAL, or in none; null: that cannot be proven. */
export function startOf(
  position: ArchivePosition | null,
  wal: WalFile,
  frames: number,
  main: string | null,
): Place | null {
  if (position === null) return main !== null && rebuiltMain(wal.file) === main ? placeAtStart : null
  const kept = keptPosition(position)
  if (kept === null) return null
  const { place } = kept
  const header = frames === 0 ? null : wal.header()
  const isSame = header !== null && header.salt1 === place.salts?.salt1 && header.salt2 === place.salts.salt2
  // SQLite has checked every frame that it counts, and the checksum is over all before it, too.
  if (isSame) return frames >= place.frame && new Cutter(wal, place).framesCut() !== null ? place : null
  return kept.main !== null && kept.main === main ? placeAtStart : null
}

/** Behind everything that is committed. */
export function endOf(wal: WalFile, frames: number): Place {
  const header = frames === 0 ? null : wal.header()
  const last = header === null ? null : wal.frame(frames, header.pageSize)
  if (header === null || last === null) return placeAtStart
  const { salt1, salt2 } = header
  return { salts: { salt1, salt2 }, frame: frames, sum1: last.sum1, sum2: last.sum2, isCarried: false }
}

/** `mainText` of a file; null: there is none. The file is not opened: closing it would drop SQLite's locks on it. */
export function mainNow(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : mainText(found)
}
