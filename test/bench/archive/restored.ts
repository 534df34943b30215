import { existsSync, readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { seedText } from '../collections/seed-text.ts'
import { enter } from '../contestant.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { ArchiveBenchOptions } from './archive-options.ts'
import {
  type ArchiveFolder,
  enterArchived,
  makeArchiveFolder,
  untilArchiving,
  untilServing,
} from './archived-service.ts'

/** From the start of a process with an empty disk to its first row, in seconds. */
const secondsGoal = { atMost: 20 } as const

/** A first snapshot of as many rows, made while nothing else is done. */
const snapshotMs = 300_000

/** How long a new container takes to have its rows, and how long the archive took to get them. */
export async function measureRestored(t: Cleanup, { repeat, large }: ArchiveBenchOptions): Promise<readonly Part[]> {
  const place = await makeArchiveFolder(t)
  const { dir, snapshotS, megabytes } = await withCleanup((scope) => archive(t, scope, place, large))
  const secondsEach: number[] = []
  for (let at = 0; at < repeat; at += 1) {
    await rm(join(dir, 'data'), { recursive: true })
    await withCleanup(async (scope) => {
      const beganMs = performance.now()
      const one = await enter(scope, 'holdfast', undefined, { cwd: dir, env: { ...place.env, DATABASE_BOOT: 'eager' } })
      await untilServing(one, 300_000)
      secondsEach.push((performance.now() - beganMs) / 1_000)
      await untilArchiving(one)
      const { running } = one
      await running.end('SIGKILL')
    })
  }
  return [
    {
      name: `restore of ${large.toLocaleString('en')} rows from a local folder`,
      figures: [
        { what: 'the file, MB', is: spreadOf([megabytes]) },
        { what: 'its first snapshot, s', is: spreadOf([snapshotS]) },
      ],
      verdicts: [judge('from the start to the first row, s', secondsEach, secondsGoal)],
    },
  ]
}

interface Archived {
  readonly dir: string
  readonly snapshotS: number
  readonly megabytes: number
}

/** A store with so many rows, and its archive. */
async function archive(t: Cleanup, scope: Cleanup, place: ArchiveFolder, rows: number): Promise<Archived> {
  const empty = await enterArchived(t)
  const { dir } = empty.running
  await empty.running.end()
  const file = join(dir, 'data/production.db')
  const database = new Database(file)
  database.exec(seedText.sqlite(rows, true))
  database.pragma('wal_checkpoint(truncate)')
  database.close()
  const beganMs = performance.now()
  const one = await enter(scope, 'holdfast', undefined, { cwd: dir, env: place.env })
  await untilServing(one)
  await until(() => hasSnapshot(place), {
    withinMs: snapshotMs,
    everyMs: 100,
    what: `a snapshot\n${one.running.output()}`,
  })
  const snapshotS = (performance.now() - beganMs) / 1_000
  const megabytes = statSync(file).size / 1e6
  await one.running.end('SIGKILL')
  return { dir, snapshotS, megabytes }
}

function hasSnapshot({ folder }: ArchiveFolder): boolean {
  const snapshots = join(folder, 'snapshots')
  return (
    existsSync(snapshots) &&
    readdirSync(snapshots, { recursive: true }).some((name) => String(name).endsWith('manifest.json'))
  )
}
