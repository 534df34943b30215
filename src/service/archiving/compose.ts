import type { ArchiveState } from '../../archive/archive-state.ts'
import { ForeignEntries } from '../../archive/entries/foreign.ts'
import { EntriesShipper } from '../../archive/entries/shipper.ts'
import { unsuitedProblem } from '../../archive/problems.ts'
import type { StartedStore } from '../../archive/restore/start.ts'
import { StartRestore } from '../../archive/restore/start.ts'
import { archiveFolder } from '../../archive/ship/spool.ts'
import type { ChainHead } from '../../archive/ship/takeover.ts'
import { archiveCredentials, openTarget } from '../../archive/target/config.ts'
import { carriedTablesOf } from '../../collection/table/carried-table.ts'
import type { TableReports } from '../../collection/table/tables.ts'
import type { Problem } from '../../config/problem.ts'
import type { Settings } from '../../config/settings.ts'
import { systemClock } from '../../database/store/clock.ts'
import type { Store } from '../../database/store/store.ts'
import type { Supervisor } from '../../database/supervisor/supervisor.ts'
import type { WorkRunner } from '../../database/work/work.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import type { Replayer } from '../../journal/replayer.ts'
import type { Observation } from '../../observe/observation.ts'
import type { ActiveConfig } from '../active-config.ts'
import { identityIn } from '../primary-identity.ts'
import { ArchiveService, type ConfiguredArchive, type StoreArchiver } from './archive-service.ts'
import { DrilledArchiver } from './drilled-archiver.ts'
import { createDailyExport } from './exporting.ts'

/** What the archive of a service is made with. Functions where a reload replaces what is behind them. */
export interface ArchiveComposition {
  readonly active: () => ActiveConfig
  readonly supervisor: () => Supervisor
  readonly replayer: Replayer
  readonly tables: TableReports
  readonly work: () => WorkRunner
  readonly observe: (seen: Observation) => void
}

/** The archive of a service, as its settings declare it. Opens nothing before a store is opened. */
export function createArchiving(parts: ArchiveComposition): ArchiveService {
  const { supervisor, observe } = parts
  // ARCHIVE_URL needs a restart; what it means is known once the settings are loaded.
  let made: ConfiguredArchive | null = null
  const configured = (): ConfiguredArchive | null => {
    made ??= configuredArchive(
      parts,
      () => service.refusal(),
      () => service.state,
    )
    return made
  }
  const service = new ArchiveService({
    configured,
    localStore: () => localStoreOf(supervisor()),
    unsuited: () => unsuited(supervisor()),
    defect: (error) => observe({ type: 'service.defect', where: 'the archive', error }),
  })
  return service
}

/** Null: the settings name no archive that can be used. */
function configuredArchive(
  { active, supervisor, replayer, tables, work, observe }: ArchiveComposition,
  refusal: () => Error | null,
  state: () => ArchiveState | null,
): ConfiguredArchive | null {
  const { place } = active().found.archive
  if (place === null) return null
  const settings = (): Settings => active().found.resolved.settings
  const tools = { clock: systemClock, random: Math.random }
  const target = openTarget(place, () => archiveCredentials(settings()), tools)
  const restore = new StartRestore({
    target,
    clock: systemClock,
    settings: () => {
      const { restoreTimeoutS, required } = settings().archive
      return { timeoutMs: restoreTimeoutS * 1_000, isRequired: required }
    },
    observe: (seen) => {
      observe(seen)
      const error = seen.type === 'restore.began' ? refusal() : null
      if (error !== null) work().refuseWaiting(error)
    },
  })
  // Each opening of a fallback has a folder of its own.
  const own = new Set<string>()
  const foreign = new ForeignEntries({
    ...{ target, replayer, observe, clock: systemClock },
    isOwn: (process) => own.has(process),
    tables: () => carriedTablesOf(active().collections),
    identityOf: (primary) => identityIn(supervisor(), primary),
  })
  const archiverOf = ({ role, driver, archive, journal }: Store, head: ChainHead | null): StoreArchiver | null => {
    if (role === 'fallback' && journal !== null) {
      const process = drawId()
      own.add(process)
      return new EntriesShipper({
        ...{ target, journal, process, observe, clock: systemClock },
        settings: () => settings().archive,
      })
    }
    const embedded = driver.embedded?.archive
    if (archive === null || embedded === undefined) return null
    return new DrilledArchiver({
      ...{ target, source: archive, folder: archiveFolder(archive.path), ...tools, observe, head },
      settings: () => settings().archive,
      rebuild: (path) => embedded.rebuild(path),
      drillEveryMs: () => settings().archive.drillS * 1_000,
    })
  }
  const exports = createDailyExport({
    ...{ target, active, tables, observe, clock: systemClock },
    current: () => supervisor().current,
    isWanted: () => settings().archive.export === 'daily',
    isOurs: () => isOurs(state()),
  })
  return { label: target.label, restore, foreign, exports, archiverOf }
}

/** Whether what this process writes belongs there. */
function isOurs(state: ArchiveState | null): boolean {
  return state !== null && state.phase !== 'restoring' && state.phase !== 'fenced' && state.phase !== 'refused'
}

/** Null next to a declared primary, whose fallback is filled from there, and where the driver has no archive. */
function localStoreOf({ config, settings }: Supervisor): StartedStore | null {
  const { declared, fallback } = config
  if (declared || fallback === null) return null
  const { driver, target } = fallback
  const archive = driver.embedded?.archive
  if (archive === undefined || archive.refusal(target) !== null) return null
  return {
    driver,
    missing: () => archive.missing(target, settings.limits.connectMs),
    rebuild: (path) => archive.rebuild(path),
  }
}

function unsuited({ config: { declared, primary, fallback }, current }: Supervisor): Problem | null {
  if (declared) {
    // The fallback of a server has a journal, whose entries are archived.
    return primary?.driver.embedded === undefined
      ? null
      : unsuitedProblem('The primary is a file, declared by DATABASE_URL.')
  }
  if (fallback === null) return null
  const { driver, target } = fallback
  const archive = driver.embedded?.archive
  const why = archive === undefined ? `The driver ${driver.name} has no archive.` : archive.refusal(target)
  if (why !== null) return unsuitedProblem(why)
  // Its file system has no shared memory.
  return current !== null && current.store.archive === null
    ? unsuitedProblem('Its file has a rollback journal, because its disk does not support a write-ahead log.')
    : null
}
