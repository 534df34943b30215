import { basename, join, resolve } from 'node:path'
import { keepPlace, waitingSegments } from '../../archive/restore/kept-state.ts'
import { type DamagedObject, type Inventory, planRestore, type RestoreWish } from '../../archive/restore/plan.ts'
import { restoreProblems } from '../../archive/restore/report.ts'
import { previewRestore, type Restored, type RestoredPlace, restore } from '../../archive/restore/restorer.ts'
import { targetFiles } from '../../database/address/config.ts'
import { openingFault } from '../../database/machine/faults.ts'
import { isThere } from '../../disk/disk.ts'
import type { Driver } from '../../driver/driver.ts'
import type { EmbeddedArchive } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import type { CommandContext } from '../command.ts'
import { line, type StoreCommandOptions, type StoreExit } from '../store/command.ts'
import { CommandFailure } from '../store/open.ts'
import { ProgressLine } from '../store/progress.ts'
import { type CommandArchive, sizeText, withArchive } from './open.ts'

/** The options of `holdfast restore`. */
export interface RestoreOptions extends StoreCommandOptions {
  /** Milliseconds since 1970; null: everything. */
  readonly atMs: number | null
  /** Null: the place of the configured file. */
  readonly to: string | null
  /** Null: the newest. */
  readonly lineage: string | null
  /** Nothing is written. */
  readonly isDry: boolean
}

/** Where a restore writes. */
interface Destination {
  readonly driver: Driver
  readonly archive: EmbeddedArchive<unknown>
  readonly path: string
  /** Rejects with a `CommandFailure` where something is in the way. */
  free(): Promise<void>
}

/** `holdfast restore`: the file of an archive, as it was at its end or at a moment. Writes nothing in the archive. */
export async function restoreCommand(context: CommandContext, options: RestoreOptions): Promise<StoreExit> {
  return await withArchive(context, options, async (opened) => {
    const destination = await destinationOf(opened, context, options)
    const inventory = await opened.inventory()
    const wish: RestoreWish = { before: null, atMs: options.atMs, lineage: options.lineage }
    if (planRestore(inventory, wish).length === 0) throw nothingFor(inventory, options)
    const { target } = opened
    const { signal } = options
    const output = new ProgressLine({ json: options.json, out: context.out, terminal: context.terminal }, sizeText)
    const progress = ({ bytes, ofBytes }: { readonly bytes: number; readonly ofBytes: number | null }): void => {
      output.update(bytes, ofBytes === null ? null : ofBytes - bytes)
    }
    try {
      if (options.isDry) {
        const found = await previewRestore({ target, signal, progress }, inventory, wish)
        output.end()
        if (found !== null) printPlan(context, options, found, destination.path, inventory.damaged)
        await destination.free()
        return 0
      }
      const { driver, archive, path } = destination
      const rebuild = (): ReturnType<typeof archive.rebuild> => archive.rebuild(path)
      const startedAt = performance.now()
      const { restored, damaged } = await restore({ target, signal, rebuild, progress }, inventory, wish).catch(
        (error: unknown) => {
          throw asFault(error, driver)
        },
      )
      output.end()
      if (restored === null) throw new CommandFailure(3, damaged.map(({ message }) => message).join(' '), unusable)
      if (options.to === null) await keepPlace(target, inventory.root, path, restored, signal)
      printRestored(context, options, restored, path, damaged, performance.now() - startedAt)
      return 0
    } finally {
      output.end()
    }
  })
}

const unusable = 'No complete snapshot could be used. Restore the objects from a copy of the archive.'

async function destinationOf(
  { found }: CommandArchive,
  { cwd }: CommandContext,
  { to, isDry }: RestoreOptions,
): Promise<Destination> {
  const { config, resolved } = found
  const local = config.fallback
  const archive = local?.driver.embedded?.archive
  const [first] = targetFiles(local)
  if (local === null || archive === undefined || first === undefined)
    throw new CommandFailure(2, 'No local file is configured that can be archived.', 'Check FALLBACK_DATABASE_URL.')
  const { driver, target } = local
  if (to !== null) {
    const path = join(resolve(cwd, to), basename(first))
    if (!isDry) await freePath(path)
    return { driver, archive, path, free: () => freePath(path) }
  }
  if (config.declared)
    throw new CommandFailure(
      2,
      'A primary is declared, so that no local file would be used.',
      'Write to a folder: --to FOLDER.',
    )
  const free = (): Promise<void> => freePlace(first)
  if (isDry) return { driver, archive, path: first, free }
  await free()
  const connectMs = resolved.settings.database.connectionTimeoutS * 1_000
  const missing = await archive.missing(target, connectMs).catch((error: unknown) => {
    throw asFault(error, driver)
  })
  if (missing === null) throw new CommandFailure(2, `${first} is in the way.`, inTheWay)
  return { driver, archive, path: missing.path, free }
}

const inTheWay =
  'A service may be using it: stop that, and move the file with its "-wal" away. Or write to another folder: --to FOLDER.'

async function freePath(path: string): Promise<void> {
  for (const name of [path, `${path}-wal`, `${path}-journal`])
    if (await isThere(name)) throw new CommandFailure(2, `${name} is in the way.`, inTheWay)
}

/** Of the configured file: what waits next to it for the archive must not be lost either. */
async function freePlace(path: string): Promise<void> {
  await freePath(path)
  const waiting = await waitingSegments(path)
  if (waiting === 0) return
  throw new CommandFailure(
    2,
    `${path}.archive has ${waiting} segments of an earlier file that are not in the archive.`,
    'Start the service without the file: it archives them, then restores. Or write to a folder: --to FOLDER.',
  )
}

function asFault(error: unknown, driver: Driver): unknown {
  // What the target says is for the caller, as is an interruption.
  const isOurs = error instanceof Error && 'code' in error && !(error instanceof FaultError)
  return isOurs ? new FaultError(openingFault(driver, error)) : error
}

function nothingFor({ snapshots, lineages }: Inventory, { atMs, lineage }: RestoreOptions): CommandFailure {
  const known = new Set([...snapshots.map(({ manifest }) => manifest.lineage), ...lineages.map((one) => one.lineage)])
  const see = 'See "holdfast archive list".'
  if (lineage !== null && !known.has(lineage)) return new CommandFailure(3, 'The archive has no such lineage.', see)
  const of = snapshots.filter(({ manifest }) => lineage === null || manifest.lineage === lineage)
  const [first] = of.map(({ manifest }) => manifest.at).toSorted()
  if (atMs === null || first === undefined) return new CommandFailure(3, 'The archive has no complete snapshot.', see)
  return new CommandFailure(3, `The oldest snapshot is of ${first}, which is later than that.`, see)
}

function outline({ manifest, folder, place, end, unused }: RestoredPlace): object {
  const { lineage, store, tables } = manifest
  const snapshot = { folder, number: manifest.number, at: manifest.at, tables: tables.length }
  return { lineage, store, snapshot, number: place.number, at: place.at, end: end.why, unused }
}

function printPlan(
  context: CommandContext,
  { json }: RestoreOptions,
  found: RestoredPlace,
  path: string,
  damaged: readonly DamagedObject[],
): void {
  const { manifest, place } = found
  if (json) {
    context.out(line({ event: 'plan', path, ...outline(found), damaged }))
    return
  }
  const behind = place.number - manifest.number
  context.out(
    `Would restore ${path}: the snapshot of ${manifest.at} (${sizeText(manifest.bytes)}) and ${behind} later segments, up to ${place.at}.\n`,
  )
  printProblems(context, found, damaged)
}

function printRestored(
  context: CommandContext,
  { json }: RestoreOptions,
  restored: Restored,
  path: string,
  damaged: readonly DamagedObject[],
  tookMs: number,
): void {
  const { proof, place, bytes } = restored
  const rows = proof.tables.reduce((sum, table) => sum + table.rows, 0)
  if (json) {
    const took = { rows, bytes, tookMs: Math.round(tookMs) }
    context.out(line({ event: 'restored', path, ...outline(restored), ...took, damaged }))
    return
  }
  const tables = proof.tables.length === 1 ? '1 table' : `${proof.tables.length} tables`
  context.out(`Restored ${path}: ${rows} rows in ${tables}, as of ${place.at}, in ${(tookMs / 1_000).toFixed(1)} s.\n`)
  printProblems(context, restored, damaged)
}

function printProblems(context: CommandContext, found: RestoredPlace, damaged: readonly DamagedObject[]): void {
  for (const { message, suggestion } of restoreProblems(found, damaged))
    context.err(`holdfast: ${message} ${suggestion}\n`)
}
