import type { Cleanup } from '../../support/temp.ts'
import { collectionPath, newRow } from '../cases.ts'
import { load } from '../load/generator.ts'
import type { Part } from '../part.ts'
import { quantileOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { ArchiveBenchOptions } from './archive-options.ts'
import { archivedHeaders, enterArchived, makeArchiveFolder, segmentsIn } from './archived-service.ts'

const perPutGoal = { atLeast: 50 } as const

/** How many writes share an object, when 64 clients wait for theirs. */
export async function measureConfirmed(t: Cleanup, { repeat, seconds }: ArchiveBenchOptions): Promise<readonly Part[]> {
  const place = await makeArchiveFolder(t)
  const one = await enterArchived(t, { env: place.env })
  const found: { readonly perSecond: number; readonly perPut: number; readonly p99Ms: number }[] = []
  for (let at = 0; at < repeat; at += 1) {
    const before = segmentsIn(place)
    const { requests, perSecond, failures, latenciesMs } = await load({
      ...{ port: one.port, connections: 64, seconds, method: 'POST', paths: [collectionPath], body: newRow },
      headers: archivedHeaders,
    })
    if (failures > 0) throw new Error(`${failures} writes failed.\n${one.running.output()}`)
    const perPut = requests / (segmentsIn(place) - before)
    found.push({ perSecond, perPut, p99Ms: quantileOf(latenciesMs.toSorted(), 0.99) })
  }
  return [
    {
      name: 'writes that demand the archive, 64 clients, a local folder',
      figures: [
        { what: 'requests/s', is: spreadOf(found.map(({ perSecond }) => perSecond)) },
        { what: 'p99, ms', is: spreadOf(found.map(({ p99Ms }) => p99Ms)) },
      ],
      verdicts: [
        judge(
          'writes per object',
          found.map(({ perPut }) => perPut),
          perPutGoal,
        ),
      ],
    },
  ]
}
