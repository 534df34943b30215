/** The format of archives that this release writes, and the newest that it reads. */
export const archiveFormat = 1

/** Digits of the numbers in names: they sort as text. */
const digits = 12

/** What the archive says of itself; put before anything else, and never again. */
export const rootKey = 'archive.json'

/** A number of the one dense sequence, as it is in names. */
export function numberText(number: number): string {
  return String(number).padStart(digits, '0')
}

/**
 * A segment. On a target that fences the number alone is the name: whoever puts it first has it. Elsewhere each generation has
 * names of its own.
 */
export function segmentKey(number: number, generation: string | null): string {
  return generation === null ? `segments/${numberText(number)}` : `segments/${generation}/${numberText(number)}`
}

/** The folder of a snapshot that is the base of what follows segment `number`. */
export function snapshotFolder(number: number, id: string): string {
  return `snapshots/${numberText(number)}-${id}`
}

/** A part of a snapshot, from 1. */
export function partKey(folder: string, part: number): string {
  return `${folder}/part-${String(part).padStart(5, '0')}`
}

/** What is put last of a snapshot: with it the snapshot is complete. */
export function manifestKey(folder: string): string {
  return `${folder}/manifest.json`
}

/** That a drill has restored a snapshot, when, and what it found. */
export function provenKey(folder: string): string {
  return `${folder}/proven.json`
}

/** A lineage: the history of one store, which continues no other one. */
export function lineageKey(id: string): string {
  return `lineages/${id}.json`
}

/** The folders of journals' entries, one for each process that writes them. */
export const entriesFolder = 'entries'

/**
 * Entries of a journal, from the first sequence to the last one, written by a process. The name stands for its content: an entry
 * never changes, and no sequence is used twice.
 */
export function entriesKey(process: string, first: number, last: number): string {
  return `${entriesFolder}/${process}/${numberText(first)}-${numberText(last)}.jsonl`
}

/** The primary that entries without an address are for, once the process has learnt it. */
export function entriesAddressKey(process: string): string {
  return `${entriesFolder}/${process}/address.json`
}

/** What the last export has written; put last. */
export const exportRecordKey = 'tables/export.json'

/** Rows of a collection for other programs: a folder for each collection, parts from 1. */
export function exportKey(collection: string, part: number): string {
  return `tables/${collection}/${String(part).padStart(5, '0')}.ndjson`
}

/** What the name of a segment says. `generation` is null on a target that fences. */
export interface SegmentName {
  readonly number: number
  readonly generation: string | null
}

/** Reads the name of a segment; null for any other key. */
export function parseSegmentKey(key: string): SegmentName | null {
  // No sequence comes near the end of the digits: a number there is not ours, and nothing could follow it.
  const found = /^segments\/(?:([0-9a-f-]{36})\/)?([0-8]\d{11})$/.exec(key)
  return found === null ? null : { number: Number(found[2]), generation: found[1] ?? null }
}

/** What the names of a snapshot's objects say. */
export interface SnapshotName {
  readonly folder: string
  /** The last segment that is in it. */
  readonly number: number
  readonly id: string
  /** The object's name within the folder. */
  readonly file: string
}

/** Reads the key of an object of a snapshot; null for any other key. */
export function parseSnapshotKey(key: string): SnapshotName | null {
  const found = /^(snapshots\/(\d{12})-([0-9a-f-]{36}))\/([a-z0-9.-]+)$/.exec(key)
  if (found === null) return null
  const [, folder = '', number, id = '', file = ''] = found
  return { folder, number: Number(number), id, file }
}
