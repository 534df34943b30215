import type { Cleanup } from '../../support/temp.ts'
import { cases, collectionPath, newRow } from '../cases.ts'
import { type Contestant, enter, freePort } from '../contestant.ts'
import { measureInTurn, type Sample, type Seeded, seed } from '../measure.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import type { JournalBenchOptions } from './journal-options.ts'

/** What journaling may cost, times the same without. */
const limit = { atMost: 1.5 } as const

const warmUpSeconds = 0.5
const seededRows = 1_000

const created = cases.filter(({ name }) => name === 'create1' || name === 'create64')

/** Durable creates of a fallback that journals them, next to those of a local store, in turn. */
export async function measureCreates(_t: Cleanup, { repeat, seconds }: JournalBenchOptions): Promise<readonly Part[]> {
  const repetitions: (readonly (readonly Sample[])[])[] = []
  for (let at = 0; at < repeat; at += 1) {
    repetitions.push(await withCleanup((scope) => measureOnce(scope, seconds, at % 2 === 1)))
  }
  return created.map(({ name }, at) => {
    const valuesOf = (who: 0 | 1, key: keyof Sample): readonly number[] =>
      repetitions.map((all) => all[at]?.[who]?.[key] ?? Number.NaN)
    const both = (key: keyof Sample) => ({ local: valuesOf(0, key), journal: valuesOf(1, key) })
    const [cpu, p50, perSecond] = [both('cpuUs'), both('p50Ms'), both('perSecond')]
    const compared = (rule: string, { journal, local }: ReturnType<typeof both>) =>
      refuseUnsteady([judge(rule, ratiosOf(journal, local), limit)], spreadOf(local), 'the local store')
    return {
      name: `${name}: a fallback that journals, next to a local store`,
      figures: [
        { what: 'local store, requests/s', is: spreadOf(perSecond.local) },
        { what: 'journaled, requests/s', is: spreadOf(perSecond.journal) },
        { what: 'local store, processor time, µs', is: spreadOf(cpu.local) },
        { what: 'journaled, processor time, µs', is: spreadOf(cpu.journal) },
        { what: 'local store, p50, ms', is: spreadOf(p50.local) },
        { what: 'journaled, p50, ms', is: spreadOf(p50.journal) },
      ],
      verdicts: [...compared('processor time, journaled to local', cpu), ...compared('p50, journaled to local', p50)],
    }
  })
}

/** Of each case the samples of the local store and of the fallback. */
async function measureOnce(t: Cleanup, seconds: number, isTurned: boolean): Promise<readonly (readonly Sample[])[]> {
  const local = await ready(await enter(t, 'holdfast'), 'local')
  const unreachable = `postgres://holdfast@127.0.0.1:${await freePort()}/nothing`
  const fallback = await ready(await enter(t, 'holdfast', unreachable), 'journal')
  const turned = <T>(list: readonly T[]): readonly T[] => (isTurned ? list.toReversed() : list)
  const samples: (readonly Sample[])[] = []
  for (const one of created) {
    await measureInTurn(one, [local, fallback], warmUpSeconds)
    samples.push(turned(await measureInTurn(one, turned([local, fallback]), seconds)))
  }
  return samples
}

/** Fails where the store is not the one that is meant: it would be measured all the same. */
async function ready(one: Contestant, durability: 'local' | 'journal'): Promise<Seeded> {
  const seeded = await seed(one, seededRows)
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${one.port}${collectionPath}`, { method: 'POST', headers, body: newRow })
  const said = answer.headers.get('holdfast-durability') ?? ''
  if (said.replace('-ephemeral', '') !== durability) throw new Error(`A create is "${said}", not "${durability}".`)
  return seeded
}
