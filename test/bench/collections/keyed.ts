import { type Case, collectionPath, newRow } from '../cases.ts'
import { measureInTurn, type Sample, type Seeded } from '../measure.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import { databaseName, type Measurement, seriesOf, warmUpSeconds } from './measurement.ts'

/** The rate with a key as a share of that without. */
const goal = { atLeast: 0.7 } as const

const clients = [1, 64] as const

/** How long one is measured before the other one's turn, in seconds. */
const turnSeconds = 0.5

/** Creates with an `Idempotency-Key`, next to creates without. */
export const keyedCreates: Measurement = {
  async measure({ own }, { seconds }) {
    const values: Record<string, number> = {}
    for (const connections of clients) {
      const plain: Case = {
        name: `a create of ${connections}`,
        goals: null,
        ...{ connections, method: 'POST', at: { path: collectionPath }, body: newRow },
      }
      const both = [plain, { ...plain, isKeyed: true }]
      for (const one of both) await sampleOf(one, own, warmUpSeconds)
      const samples: (readonly Sample[])[] = []
      for (let at = 0; at < Math.max(1, seconds / turnSeconds); at += 1) {
        const inTurn: Sample[] = []
        for (const one of both) inTurn.push(await sampleOf(one, own, turnSeconds))
        samples.push(inTurn)
      }
      for (const key of ['perSecond', 'cpuUs'] as const) {
        for (const [at, who] of ['without', 'with'].entries()) {
          values[`${connections} ${who} ${key}`] = meanOf(samples.map((all) => all[at]?.[key] ?? Number.NaN))
        }
      }
    }
    return values
  },
  partOf(all, options) {
    const of = (connections: number, who: string, key: string) => seriesOf(all, `${connections} ${who} ${key}`)
    return {
      name: `keyed: creates with an Idempotency-Key, ${databaseName(options)}`,
      figures: clients.flatMap((connections) => [
        { what: `${connections}, without, requests/s`, is: spreadOf(of(connections, 'without', 'perSecond')) },
        { what: `${connections}, with, requests/s`, is: spreadOf(of(connections, 'with', 'perSecond')) },
        { what: `${connections}, without, processor time, µs`, is: spreadOf(of(connections, 'without', 'cpuUs')) },
        { what: `${connections}, with, processor time, µs`, is: spreadOf(of(connections, 'with', 'cpuUs')) },
      ]),
      verdicts: clients.flatMap((connections) => {
        const without = of(connections, 'without', 'perSecond')
        const ratios = ratiosOf(of(connections, 'with', 'perSecond'), without)
        return refuseUnsteady(
          [judge(`${connections}, with a key to without`, ratios, goal)],
          spreadOf(without),
          'creates',
        )
      }),
    }
  },
}

async function sampleOf(one: Case, own: Seeded, seconds: number): Promise<Sample> {
  const [sample] = await measureInTurn(one, [own], seconds)
  if (sample === undefined) throw new Error('unreachable: there is one contestant')
  return sample
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
