import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../../config/quantity.ts'
import type { Clock } from '../../database/store/clock.ts'
import { freeBytes, makeDirectory } from '../../disk/data-directory.ts'
import type { FileProof, FileRebuild, TableProof } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import type { LastDrill } from '../archive-state.ts'
import { recordBytes } from '../format/fields.ts'
import { FormatError } from '../format/format-error.ts'
import { readProven } from '../format/manifests.ts'
import { provenKey } from '../format/names.ts'
import type { ProvenRecord } from '../format/records.ts'
import { type ArchiveTarget, TargetError } from '../target/target.ts'
import { followSegments } from './follow.ts'
import { readInventory } from './inventory.ts'
import { readObject } from './objects.ts'
import { type Inventory, planRestore, type RestoreBase, wholeArchive } from './plan.ts'
import { stopText } from './report.ts'
import { restore } from './restorer.ts'

/** What a drill works with. */
export interface DrillParts {
  readonly target: ArchiveTarget
  readonly clock: Clock
  /** It is made, and removed afterwards. */
  readonly folder: string
  rebuild(path: string): Promise<FileRebuild>
}

/** Why the archive could not be restored as a test, as a sentence. */
class DrillFailure extends Error {}

/** What else may want the disk meanwhile. */
const marginBytes = 16 * 1024 ** 2

/**
 * Restores the newest snapshot (of a lineage) to a folder of its own, compares it with what was noted when it was made, then
 * applies everything behind it; says so in the archive. Null: there is no complete snapshot. A failure of the target rejects: it says nothing about what is
 * stored there.
 */
export async function runDrill(
  parts: DrillParts,
  lineage: string | null,
  signal: AbortSignal,
): Promise<LastDrill | null> {
  const { target, clock, folder } = parts
  const startedAt = clock.now()
  const ended = (rows: number, failure: string | null): LastDrill => {
    return { atMs: clock.wallMs(), rows, tookMs: clock.now() - startedAt, failure }
  }
  try {
    const inventory = await readInventory(target, signal)
    const [base] = inventory === null ? [] : planRestore(inventory, { ...wholeArchive, lineage })
    const damaged = damagedSince(inventory, base)
    if (damaged !== null) throw new DrillFailure(damaged)
    if (inventory === null || base === undefined) return null
    await rm(folder, { recursive: true, force: true })
    await makeDirectory(folder, 0o700)
    await assertRoom(folder, base)
    const { proof, number } = await restoreAll(parts, inventory, base, signal)
    const drill = ended(rowsOf(proof.tables), null)
    const record: ProvenRecord = {
      ...{ at: new Date(drill.atMs).toISOString(), rows: drill.rows, tookMs: Math.round(drill.tookMs), number },
    }
    await target.put(provenKey(base.folder), recordBytes(record), signal)
    return drill
  } catch (error) {
    const failure = failureOf(error)
    if (signal.aborted || failure === null) throw error
    return ended(0, failure)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What a restore would have to pass over before it finds this snapshot; null: nothing. */
function damagedSince(inventory: Inventory | null, base: RestoreBase | undefined): string | null {
  const found = inventory?.damaged.filter(({ key }) => key.startsWith('snapshots/')) ?? []
  return found.findLast(({ key }) => base === undefined || key > base.folder)?.message ?? null
}

/** When a snapshot of this lineage was last proven, from the archive; null: none was. */
export async function lastProven(
  target: ArchiveTarget,
  lineage: string | null,
  signal: AbortSignal,
): Promise<LastDrill | null> {
  const inventory = await readInventory(target, signal)
  let last: ProvenRecord | null = null
  for (const { folder, manifest } of inventory?.snapshots ?? []) {
    if (lineage !== null && manifest.lineage !== lineage) continue
    const key = provenKey(folder)
    const record = await readObject(target, key, signal, (bytes) => readProven(key, bytes)).catch((error: unknown) => {
      // The next drill replaces it.
      if (error instanceof FormatError) return null
      throw error
    })
    if (record !== null && (last === null || Date.parse(record.at) > Date.parse(last.at))) last = record
  }
  return last === null ? null : { atMs: Date.parse(last.at), rows: last.rows, tookMs: last.tookMs, failure: null }
}

/** The snapshot as it was made, then with everything behind it. */
async function restoreAll(
  parts: DrillParts,
  inventory: Inventory,
  base: RestoreBase,
  signal: AbortSignal,
): Promise<{ readonly proof: FileProof; readonly number: number }> {
  const path = join(parts.folder, 'snapshot.db')
  const alone = { ...inventory, snapshots: [base], segments: [] }
  const rebuild = (): Promise<FileRebuild> => parts.rebuild(path)
  const { restored, damaged } = await restore({ target: parts.target, signal, rebuild }, alone, wholeArchive)
  if (restored === null) throw new DrillFailure(damaged.at(-1)?.message ?? 'No snapshot could be used.')
  const { manifest } = restored
  const different = differences(manifest.tables, restored.proof.tables)
  if (different !== null) throw new DrillFailure(`The snapshot ${base.folder} has ${different}.`)
  if (base.segments.length === 0 && base.missing === null) return { proof: restored.proof, number: manifest.number }
  return await continueFrom(parts, path, base, signal)
}

/** From the restored snapshot on this disk: it is not fetched twice. */
async function continueFrom(
  { target, folder, rebuild }: DrillParts,
  snapshot: string,
  base: RestoreBase,
  signal: AbortSignal,
): Promise<{ readonly proof: FileProof; readonly number: number }> {
  const file = await rebuild(join(folder, 'whole.db'))
  try {
    for await (const chunk of createReadStream(snapshot, { highWaterMark: 1024 ** 2, signal })) await file.write(chunk)
    const apply = async (payload: Uint8Array): Promise<void> => await file.apply(payload)
    const { place, end } = await followSegments({ target, signal, apply }, base, null)
    // A gap is known, and the next snapshot ends it.
    const why = end.why === 'gap' || end.why === 'other-lineage' ? null : stopText(end)
    if (why !== null) throw new DrillFailure(`Behind segment ${place.number}, ${why}`)
    return { proof: await file.finish(signal), number: place.number }
  } catch (error) {
    await file.abandon()
    throw error
  }
}

async function assertRoom(folder: string, { manifest, segments }: RestoreBase): Promise<void> {
  const needed = manifest.bytes * (segments.length === 0 ? 1 : 2) + marginBytes
  const free = await freeBytes(folder)
  if (free !== null && free < needed)
    throw new DrillFailure(
      `The disk has ${formatBytes(free)} left, and a restore as a test needs ${formatBytes(needed)}.`,
    )
}

/** How a restored snapshot differs from what was noted when it was made, as a clause; null: not at all. */
function differences(noted: readonly TableProof[], found: readonly TableProof[]): string | null {
  for (const { table, rows, hash } of noted) {
    const other = found.find((one) => one.table === table)
    if (other === undefined) return `no table ${table}`
    if (other.rows !== rows) return `${other.rows} rows in ${table}, not ${rows}`
    if (other.hash !== hash) return `other rows in ${table} than it was made with`
  }
  const more = found.find(({ table }) => !noted.some((one) => one.table === table))
  return more === undefined ? null : `a table ${more.table} that it was made without`
}

/** Null: it says nothing about what is stored. */
function failureOf(error: unknown): string | null {
  if (error instanceof DrillFailure || error instanceof FormatError) return error.message
  if (error instanceof TargetError) return null
  return error instanceof FaultError ? error.fault.summary : `It failed: ${error instanceof Error ? error.message : ''}`
}

function rowsOf(tables: readonly TableProof[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0)
}
