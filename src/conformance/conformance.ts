import { after, before, describe } from 'node:test'
import type { Driver } from '../driver/driver.ts'
import { conformAddresses } from './address.ts'
import { conformArchive } from './archive/archive.ts'
import { conformAttempts } from './attempts.ts'
import { type Bench, createBench, type Harness } from './bench.ts'
import { conformCollisions } from './collisions.ts'
import { conformConnections } from './connection.ts'
import { conformCopies } from './copy.ts'
import { conformFeed } from './feed/feed.ts'
import { conformJournal } from './journal.ts'
import { conformOutages } from './outage.ts'
import { conformReadOnly } from './read-only.ts'
import { conformReplay } from './replay.ts'
import { conformSchemaLock } from './schema-lock.ts'
import { conformStanding } from './standing.ts'
import { conformStatements } from './statements.ts'

export type { Harness } from './bench.ts'

/**
 * The one suite that every driver passes whole. Registers `node:test` tests, for every member of the contract and every
 * facet; those of an absent facet are skipped by name, so that the report says what a driver cannot do.
 */
export function conform(driver: Driver, harness: Harness): void {
  describe(`the driver ${driver.name} keeps the contract`, () => {
    let current: Bench | null = null
    const bench = (): Bench => {
      if (current === null) throw new Error('unreachable: the bench is made before the tests')
      return current
    }
    before(async () => {
      current = await createBench(driver, harness)
    })
    after(async () => {
      await current?.end()
    })
    conformAddresses(bench)
    conformConnections(bench)
    conformStanding(bench)
    conformReadOnly(bench)
    conformStatements(bench)
    conformCollisions(bench)
    conformSchemaLock(bench)
    conformAttempts(bench)
    conformJournal(bench)
    conformCopies(bench)
    conformReplay(bench)
    conformFeed(bench)
    conformArchive(bench)
    conformOutages(bench, harness)
  })
}
