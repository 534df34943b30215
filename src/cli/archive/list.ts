import { readProven } from '../../archive/format/manifests.ts'
import { provenKey } from '../../archive/format/names.ts'
import type { ProvenRecord } from '../../archive/format/records.ts'
import { readObject } from '../../archive/restore/objects.ts'
import { type Inventory, planRestore, type RestoreBase, wholeArchive } from '../../archive/restore/plan.ts'
import type { ArchiveTarget } from '../../archive/target/target.ts'
import type { CommandContext } from '../command.ts'
import { line, type StoreCommandOptions, type StoreExit } from '../store/command.ts'
import { table } from '../terminal.ts'
import { sizeText, withArchive } from './open.ts'

/** A snapshot with what is known of it. */
interface ListedSnapshot extends RestoreBase {
  readonly proven: ProvenRecord | null
  readonly rows: number
}

/** `holdfast archive list`: lineages, snapshots, and what follows them. Reads no segment. */
export async function archiveListCommand(context: CommandContext, options: StoreCommandOptions): Promise<StoreExit> {
  return await withArchive(context, options, async ({ target, inventory: read }) => {
    const inventory = await read()
    const bases = planRestore(inventory, wholeArchive).map((base) => ofItsLineage(base, inventory))
    const snapshots = await withProofs(target, bases, options.signal)
    if (options.json) printJson(context, target.label, inventory, snapshots)
    else printText(context, target.label, inventory, snapshots)
    return 0
  })
}

/** Without the segments of the lineages that began behind it: a restore does not use them. */
function ofItsLineage(base: RestoreBase, { lineages, snapshots }: Inventory): RestoreBase {
  const { lineage, number } = base.manifest
  const others = [...lineages, ...snapshots.map(({ manifest }) => manifest)]
  const end = Math.min(...others.flatMap((one) => (one.lineage !== lineage && one.number > number ? [one.number] : [])))
  const isItsOwn = base.missing !== null && base.missing < end
  const segments = base.segments.filter((segment) => segment.generation !== null || segment.number < end)
  return { ...base, segments, missing: isItsOwn ? base.missing : null }
}

async function withProofs(
  target: ArchiveTarget,
  bases: readonly RestoreBase[],
  signal: AbortSignal,
): Promise<readonly ListedSnapshot[]> {
  const listed: ListedSnapshot[] = []
  for (const base of bases) {
    const key = provenKey(base.folder)
    const proven = await readObject(target, key, signal, (bytes) => readProven(key, bytes))
    listed.push({ ...base, proven, rows: base.manifest.tables.reduce((sum, { rows }) => sum + rows, 0) })
  }
  return listed
}

/** The lineages, the newest first; the last one may have been begun without a record. */
function lineagesOf({ lineages }: Inventory, snapshots: readonly ListedSnapshot[]): readonly string[] {
  const known = [...snapshots.map(({ manifest }) => manifest.lineage), ...lineages.map(({ lineage }) => lineage)]
  return [...new Set(known)]
}

function printJson(
  { out }: CommandContext,
  label: string,
  inventory: Inventory,
  snapshots: readonly ListedSnapshot[],
): void {
  const { root, lineages, damaged, incomplete } = inventory
  out(line({ event: 'archive', label, ...root }))
  for (const record of lineages) out(line({ event: 'lineage', ...record }))
  for (const { folder, manifest, proven, rows, segments, missing } of snapshots) {
    const { lineage, store, number, at, bytes } = manifest
    const last = segments.at(-1)?.number ?? number
    out(line({ event: 'snapshot', folder, lineage, store, number, at, bytes, rows, proven, last, missing }))
  }
  for (const folder of incomplete) out(line({ event: 'incomplete', folder }))
  for (const one of damaged) out(line({ event: 'damaged', ...one }))
}

function printText(
  { out }: CommandContext,
  label: string,
  inventory: Inventory,
  snapshots: readonly ListedSnapshot[],
): void {
  const { root, lineages, damaged, incomplete } = inventory
  out(`${label}: archive ${root.archive}, begun ${root.madeAt}\n`)
  for (const id of lineagesOf(inventory, snapshots)) {
    const why = lineages.find(({ lineage }) => lineage === id)?.why ?? 'first'
    const own = snapshots.filter(({ manifest }) => manifest.lineage === id)
    out(`\nLineage ${id} (${why})\n`)
    out(own.length === 0 ? '  no complete snapshot\n' : `${table(own.map(cellsOf)).join('\n')}\n`)
  }
  if (incomplete.length > 0) out(`\nNot completed: ${incomplete.join(', ')}\n`)
  for (const { message } of damaged) out(`\n${message}\n`)
}

function cellsOf({ manifest, proven, rows, segments, missing }: ListedSnapshot): readonly string[] {
  const { number, at, bytes } = manifest
  const last = segments.at(-1)?.number
  const behind = last === undefined ? 'nothing behind it' : `segments to ${last}`
  const hole = missing === null ? '' : `, ${missing} is missing`
  const proof = proven === null ? 'not proven' : `proven ${proven.at}`
  return [at, `segment ${number}`, `${rows} rows`, sizeText(bytes), `${behind}${hole}`, proof]
}
