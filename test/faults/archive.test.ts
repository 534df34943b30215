import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { bundleProgram } from '../support/bundle.ts'
import { cleanupOf } from '../support/temp.ts'
import { runArchiveHistory } from './archive/archive-history.ts'
import type { ArchiveKind } from './archive/place.ts'
import { runArchiveSchedule, whyNotHere } from './archive/run.ts'
import { archiveSchedules } from './archive/schedule/all.ts'
import type { ArchiveSchedule } from './archive/schedule/archive-schedule.ts'
import { program } from './stage/stage.ts'
import { todays } from './todays.ts'

/** Most of a schedule's time is spent waiting. */
const concurrency = 3

const building = bundleProgram(cleanupOf(after), program)
building.catch(() => undefined)

const kinds: readonly ArchiveKind[] = ['s3', 'folder']

/** What does not depend on the target runs on one here, and on both in `npm run faults`. */
function isShownHere({ on, name, isLong }: ArchiveSchedule, kind: ArchiveKind): boolean {
  if (isLong === true || !on.includes(kind)) return false
  return kind === 's3' || on.length === 1 || name.startsWith('killed and emptied')
}

for (const kind of kinds) {
  describe(`schedules of an archive on ${kind}`, { concurrency }, () => {
    for (const schedule of todays(archiveSchedules.filter((one) => isShownHere(one, kind)))) {
      const skip = whyNotHere(schedule)
      test(schedule.name, { skip }, async (t) => runArchiveSchedule(t, schedule, { entry: await building }, kind))
    }
  })
}

const short = { seconds: 8, archivedMin: 21, rate: 150, connections: 8, only: [], log: null } as const

/** A seed that repeats, and a fresh one, which `npm run faults -- --on folder --seed` repeats. */
const seeds: Readonly<Record<ArchiveKind, number>> = { s3: 1, folder: Date.now() % 1_000_000 }

// In this file, so that they do not run at the same time as the schedules.
describe('random histories of an archive', { concurrency: true }, () => {
  for (const kind of kinds) {
    const seed = seeds[kind]
    test(`nothing that said archived is lost on ${kind} (seed ${seed})`, { timeout: 240_000 }, async (t) => {
      const outcome = await runArchiveHistory(t, { entry: await building }, kind, { ...short, seed })
      assert.deepEqual([outcome.violations, outcome.failures], [[], []])
      assert.ok(outcome.archived > 20, `${outcome.archived} writes said archived`)
    })
  }
})
