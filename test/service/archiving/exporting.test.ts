import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TableReports } from '../../../src/collection/table/tables.ts'
import type { Serving } from '../../../src/database/store/store.ts'
import { createDailyExport } from '../../../src/service/archiving/exporting.ts'
import { rigOf } from '../../database/rig.ts'
import { settle } from '../../support/fake-clock.ts'
import { MemoryTarget } from '../../support/memory-target.ts'

const firstMs = 60_000

test('exports from the local store, and not while a fallback serves, none does, or the archive is another process’s', async () => {
  const rig = rigOf({ declared: false })
  const { store } = await rig.supervisor.serving()
  const tables = new TableReports()
  const none = { otherOrder: new Map(), nullable: new Map(), blockedKeys: new Map() }
  tables.set(store, { ...none, unusable: new Map(), problems: [], rewriting: new Set(), applied: [], missing: [] })
  const local: Serving = { store, shown: 'local' }
  const cases: readonly (readonly [string, Serving | null, boolean, boolean, number])[] = [
    ['the local store', local, true, true, 1],
    ['a fallback', { store, shown: 'fallback' }, true, true, 0],
    ['no store', null, true, true, 0],
    ['a fenced archive', local, false, true, 0],
    ['ARCHIVE_EXPORT=off', local, true, false, 0],
  ]
  for (const [what, current, isOurs, isWanted, expected] of cases) {
    const seen: string[] = []
    const exporting = createDailyExport({
      ...{ target: new MemoryTarget(), tables, clock: rig.clock },
      active: () => ({ served: new Map() }),
      current: () => current,
      isWanted: () => isWanted,
      isOurs: () => isOurs,
      observe: ({ type }) => seen.push(type),
    })
    exporting.start()
    await rig.clock.advance(firstMs)
    await settle()
    await exporting.close()
    assert.deepEqual([seen, exporting.problems], [expected === 1 ? ['archive.exported'] : [], []], what)
  }
  await rig.supervisor.close(0)
})
