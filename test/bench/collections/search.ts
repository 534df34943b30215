import Database from 'better-sqlite3'
import { collectionPath } from '../cases.ts'
import type { Contestant } from '../contestant.ts'
import { longestDelayMs } from '../event-loop.ts'
import { quantileOf, ratiosOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { databaseName, type Measurement, seriesOf } from './measurement.ts'

/** Milliseconds of a page, and of the longest turn of the event loop. */
const goal = { atMost: 40 } as const

/** A text that no row has. */
const missing = 'Zebra'

/** Pages that are asked for, one after the other, at most. */
const pagesMax = 50

/** What the service does for a page, by hand. */
const byHandText = `select count(*) from (select comment from feedback order by id desc limit 20000)
  where instr(lower(comment), lower('${missing}')) > 0`

/** An unindexed `icontains` without a hit, page by page, next to its statement by hand. */
export const search: Measurement = {
  async measure({ own, file }) {
    if (file === null) return null
    const database = new Database(file, { readonly: true })
    try {
      const statement = database.prepare(byHandText)
      statement.get()
      // The first one compiles what the others need.
      await pagesOf(own, 3, () => undefined)
      await longestDelayMs(own)
      const byHand: number[] = []
      const pages = await pagesOf(own, pagesMax, () => {
        const startedMs = performance.now()
        statement.get()
        byHand.push(performance.now() - startedMs)
      })
      const turn = await longestDelayMs(own)
      return { page: middleOf(pages), longest: Math.max(...pages), turn, byHand: middleOf(byHand) }
    } finally {
      database.close()
    }
  },
  partOf(all, options) {
    const pages = seriesOf(all, 'page')
    const turns = seriesOf(all, 'turn')
    return {
      name: `search: icontains without a hit and without an index, ${databaseName(options)}`,
      figures: [
        { what: 'the statement by hand, ms', is: spreadOf(seriesOf(all, 'byHand')) },
        { what: 'a page, p50, ms', is: spreadOf(pages) },
        { what: 'the longest page, ms', is: spreadOf(seriesOf(all, 'longest')) },
        { what: 'the longest turn of the event loop, ms', is: spreadOf(turns) },
        { what: 'a page to by hand', is: spreadOf(ratiosOf(pages, seriesOf(all, 'byHand'))) },
      ],
      verdicts: [judge('a page, ms', pages, goal), judge('the longest turn, ms', turns, goal)],
    }
  },
}

function middleOf(values: readonly number[]): number {
  return quantileOf(
    [...values].sort((a, b) => a - b),
    0.5,
  )
}

/** What each page of a search took, in milliseconds. */
async function pagesOf({ port }: Contestant, most: number, between: () => void): Promise<readonly number[]> {
  const path = `http://127.0.0.1:${port}${collectionPath}?comment:icontains=${missing}`
  const took: number[] = []
  let cursor = ''
  while (took.length < most) {
    const startedMs = performance.now()
    const answer = await fetch(`${path}${cursor}`)
    const { items, next } = (await answer.json()) as { items: readonly unknown[]; next: string | null } // A page.
    took.push(performance.now() - startedMs)
    if (!answer.ok || items.length > 0)
      throw new Error(`A search answered ${answer.status} with ${items?.length} rows.`)
    if (next === null) break
    cursor = `&cursor=${next}`
    between()
  }
  return took
}
