import type { ArchivePosition } from '../../../src/driver/kit/driver-kit.ts'

/** A place in the changes of a file: behind a frame of a WAL. */
export interface Place {
  /** Of the WAL; null: of whichever there is, which begins here. */
  readonly salts: Salts | null
  /** Frames of that WAL up to here. */
  readonly frame: number
  /** The running checksum as it is stored with that frame. */
  readonly sum1: number
  readonly sum2: number
  /** All up to here is in the main file, and since then nothing can be carried: what follows is in this WAL, or in the next one. */
  readonly isCarried: boolean
}

/** They are others each time that a WAL begins again. */
export interface Salts {
  readonly salt1: number
  readonly salt2: number
}

/** Where a WAL begins. */
export const placeAtStart: Place = { salts: null, frame: 0, sum1: 0, sum2: 0, isCarried: true }

/** A kept position: a place in a WAL, and what proves that the main file alone is that place. */
export interface KeptPosition {
  readonly place: Place
  /** `mainText` of the main file when it had everything up to there, and nothing else. Null: it was never seen so. */
  readonly main: string | null
}

/** As it is kept. */
export function positionOf({ place, main }: KeptPosition): ArchivePosition {
  const { salts, frame, sum1, sum2 } = place
  return { salt1: salts?.salt1 ?? null, salt2: salts?.salt2 ?? null, frame, sum1, sum2, main }
}

/** Null for what this release did not write. */
export function keptPosition(position: ArchivePosition): KeptPosition | null {
  const { salt1, salt2, frame, sum1, sum2, main } = position
  if (typeof frame !== 'number' || typeof sum1 !== 'number' || typeof sum2 !== 'number') return null
  const salts = typeof salt1 === 'number' && typeof salt2 === 'number' ? { salt1, salt2 } : null
  return { place: { salts, isCarried: false, frame, sum1, sum2 }, main: typeof main === 'string' ? main : null }
}

/** The numbers of a file that change with each change of it, by whomever, and when another file is put in its place. */
export interface MainStat {
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** As a text to compare by. */
export function mainText({ ino, size, mtimeNs, ctimeNs }: MainStat): string {
  return [ino, size, mtimeNs, ctimeNs].join(':')
}
