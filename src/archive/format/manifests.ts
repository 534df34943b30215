import type { TableProof } from '../../driver/facet/archive.ts'
import { Fields } from './fields.ts'
import type { LineageRecord, ProvenRecord, RootRecord, SnapshotManifest, SnapshotPart } from './records.ts'

/** Most bytes of a part of a snapshot, before it is compressed. */
export const partBytesMax: number = 8 * 1024 ** 2

/** Reads `archive.json`. Throws a FormatError, as all of these do. */
export function readRoot(key: string, bytes: Uint8Array): RootRecord {
  const fields = Fields.parse(key, bytes)
  return {
    format: fields.count('format'),
    archive: fields.text('archive'),
    store: fields.text('store'),
    madeAt: fields.time('madeAt'),
  }
}

/** Reads `lineages/<id>.json`. */
export function readLineage(key: string, bytes: Uint8Array): LineageRecord {
  const fields = Fields.parse(key, bytes)
  return {
    lineage: fields.text('lineage'),
    store: fields.text('store'),
    number: fields.count('number'),
    why: fields.word('why', ['first', 'empty-start', 'behind', 'unknown']),
    madeAt: fields.time('madeAt'),
  }
}

/** Reads the manifest of a snapshot. */
export function readManifest(key: string, bytes: Uint8Array): SnapshotManifest {
  const fields = Fields.parse(key, bytes)
  return {
    format: fields.count('format'),
    archive: fields.text('archive'),
    lineage: fields.text('lineage'),
    store: fields.text('store'),
    generation: fields.text('generation'),
    id: fields.text('id'),
    number: fields.count('number'),
    previous: fields.hashOrNull('previous'),
    position: fields.plainOrNull('position'),
    at: fields.time('at'),
    bytes: fields.count('bytes'),
    parts: fields.list('parts', readPart),
    tables: fields.list('tables', readTable),
  }
}

/** Reads `proven.json` of a snapshot. */
export function readProven(key: string, bytes: Uint8Array): ProvenRecord {
  const fields = Fields.parse(key, bytes)
  return {
    at: fields.time('at'),
    rows: fields.count('rows'),
    tookMs: fields.duration('tookMs'),
    number: fields.count('number'),
  }
}

function readPart(fields: Fields): SnapshotPart {
  return { bytes: fields.count('bytes'), packedBytes: fields.count('packedBytes'), hash: fields.hash('hash') }
}

function readTable(fields: Fields): TableProof {
  return { table: fields.text('table'), rows: fields.count('rows'), hash: fields.text('hash') }
}
