import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readTextFile } from '../../config/text-file.ts'
import { makeDirectory, syncFolder } from '../../disk/data-directory.ts'
import type { ArchivePosition } from '../../driver/facet/archive.ts'
import { Fields, recordBytes } from '../format/fields.ts'
import { FormatError } from '../format/format-error.ts'
import { archiveFormat } from '../format/names.ts'
import { writeWhole } from './spool.ts'

/** The snapshot that everything since was archived after. */
export interface BaseSnapshot {
  readonly number: number
  /** The wall clock's time. */
  readonly atMs: number
  /** Of the file. */
  readonly bytes: number
}

/** What a file's archive folder says about how far it was archived: `state.json`. */
export interface ShipState {
  /** Null: no archive was reached yet. */
  readonly archive: string | null
  /** Of the process that wrote it. */
  readonly generation: string
  /** Null, with `number` 0: no segment was made yet. */
  readonly lineage: string | null
  readonly since: number
  /** The last segment that is stored, or in the spool. */
  readonly number: number
  readonly hash: string | null
  /** The place behind it; an older one does no harm, because the pages behind it are cut again. */
  readonly position: ArchivePosition | null
  /** Whether changes behind it were dropped, or may have been. */
  readonly isBroken: boolean
  /** Null: a snapshot is needed before this file could be restored. */
  readonly base: BaseSnapshot | null
  /** Whether the file was begun without rows that an archive may have: it may have an id that the archive does not know. */
  readonly isEmptyStart: boolean
}

const fileName = 'state.json'

/** Reads it; null: it is not there, or damaged, which is treated as if it were not. */
export async function readShipState(folder: string): Promise<ShipState | null> {
  const file = await readTextFile(join(folder, fileName), 65_536)
  if (!('text' in file)) return null
  try {
    return parseState(Fields.parse(fileName, new TextEncoder().encode(file.text)))
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

/** Writes it. `isSynced`: it survives a power cut; without, only the end of the process. */
export async function writeShipState(folder: string, state: ShipState, isSynced: boolean): Promise<void> {
  const path = join(folder, fileName)
  const bytes = recordBytes({ format: archiveFormat, ...state })
  if (isSynced) {
    await writeWhole(path, bytes)
    await syncFolder(folder)
  } else {
    await writeFile(`${path}.new`, bytes, { mode: 0o600 })
    await rename(`${path}.new`, path)
  }
}

/**
 * Says that the file which is about to be made is begun without rows that an archive may have. It is then archived as a
 * lineage of its own. To be called before the file is made.
 */
export async function markEmptyStart(folder: string, generation: string): Promise<void> {
  await makeDirectory(folder, 0o700)
  await writeShipState(folder, { ...freshState(generation), isEmptyStart: true }, true)
}

/** What is known before anything was archived. */
export function freshState(generation: string): ShipState {
  return {
    ...{ archive: null, generation, lineage: null, since: 0, number: 0, hash: null },
    ...{ position: null, isBroken: false, base: null, isEmptyStart: false },
  }
}

function parseState(fields: Fields): ShipState {
  return {
    archive: fields.textOrNull('archive'),
    generation: fields.text('generation'),
    lineage: fields.textOrNull('lineage'),
    since: fields.count('since'),
    number: fields.count('number'),
    hash: fields.hashOrNull('hash'),
    position: fields.plainOrNull('position'),
    isBroken: fields.flag('isBroken'),
    base: parseBase(fields),
    isEmptyStart: fields.flag('isEmptyStart'),
  }
}

function parseBase(fields: Fields): BaseSnapshot | null {
  const plain = fields.plainOrNull('base')
  if (plain === null) return null
  const base = new Fields(fields.key, plain)
  return { number: base.count('number'), atMs: base.duration('atMs'), bytes: base.count('bytes') }
}
