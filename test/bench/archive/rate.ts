import type { Cleanup } from '../../support/temp.ts'
import { cases } from '../cases.ts'
import { measureInTurn, type Sample, seed } from '../measure.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import type { ArchiveBenchOptions } from './archive-options.ts'
import { enterArchived, makeArchiveFolder } from './archived-service.ts'

/** The share of the rate that is left with an archive. */
const rateGoal = { atLeast: 0.95 } as const

const warmUpSeconds = 0.5

/** What is cut and sent so long after the last answer is counted, too. */
const tailMs = 100

const compared = cases.filter(({ name }) => ['get', 'create1', 'create64', 'mixed'].includes(name))

interface Both {
  readonly archived: Sample
  readonly plain: Sample
}

/** What an archive in a folder of the machine takes of each request. */
export async function measureRate(_t: Cleanup, options: ArchiveBenchOptions): Promise<readonly Part[]> {
  const all: (readonly Both[])[] = []
  for (let at = 0; at < options.repeat; at += 1) {
    all.push(await withCleanup((scope) => rateOnce(scope, options, at % 2 === 1)))
  }
  return compared.map(({ name }, at) => {
    const valuesOf = (side: keyof Both, key: keyof Sample) => all.map((both) => both[at]?.[side][key] ?? Number.NaN)
    const ratios = (key: keyof Sample) => ratiosOf(valuesOf('archived', key), valuesOf('plain', key))
    const plain = spreadOf(valuesOf('plain', 'perSecond'))
    return {
      name: `${name}: with an archive, next to without`,
      figures: [
        { what: 'without, requests/s', is: plain },
        { what: 'with, requests/s', is: spreadOf(valuesOf('archived', 'perSecond')) },
        { what: 'without, processor time, µs', is: spreadOf(valuesOf('plain', 'cpuUs')) },
        { what: 'with, processor time, µs', is: spreadOf(valuesOf('archived', 'cpuUs')) },
        { what: 'p99, with to without', is: spreadOf(ratios('p99Ms')) },
      ],
      verdicts: refuseUnsteady(
        [judge('requests/s, with to without', ratios('perSecond'), rateGoal)],
        plain,
        'the service without an archive',
      ),
    }
  })
}

async function rateOnce(
  t: Cleanup,
  { rows, seconds }: ArchiveBenchOptions,
  isTurned: boolean,
): Promise<readonly Both[]> {
  const { env } = await makeArchiveFolder(t)
  const archived = await seed(await enterArchived(t, { env }), rows)
  const plain = await seed(await enterArchived(t), rows)
  const turned = <T>(list: readonly T[]): readonly T[] => (isTurned ? list.toReversed() : list)
  const samples: Both[] = []
  for (const one of compared) {
    await measureInTurn(one, [archived, plain], warmUpSeconds)
    const [first, second] = turned(await measureInTurn(one, turned([archived, plain]), seconds, tailMs))
    if (first === undefined || second === undefined) throw new Error('unreachable: there are two services')
    samples.push({ archived: first, plain: second })
  }
  return samples
}
