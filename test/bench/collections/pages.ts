import { type Case, collectionPath } from '../cases.ts'
import type { Contestant } from '../contestant.ts'
import { measureInTurn } from '../measure.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import { databaseName, type Measurement, seriesOf, warmUpSeconds } from './measurement.ts'

/** What the page at the end may take, times that at row 10. */
const goal = { atMost: 1.3 } as const

const directions = { ascending: 'model', descending: '-model' } as const

/** Where the first page that is measured begins. */
const nearRow = 10

const pageRows = 20

const page: Case = { name: 'a sorted page', goals: null, connections: 1, method: 'GET', at: 'rows' }

/** A page of 20 rows sorted by an indexed field that may be null: at row 10, and where the rows end. */
export const sortedPages: Measurement = {
  async measure({ own }, { rows, seconds }) {
    const values: Record<string, number> = {}
    for (const [direction, sort] of Object.entries(directions)) {
      const at = [await pathAt(own, sort, nearRow), await pathAt(own, sort, rows - pageRows)]
      const both = at.map((path) => ({ ...own, rowPaths: [path] }))
      await measureInTurn(page, both, warmUpSeconds)
      const [near, far] = await measureInTurn(page, both, seconds)
      values[`${direction} near`] = near?.p50Ms ?? Number.NaN
      values[`${direction} far`] = far?.p50Ms ?? Number.NaN
    }
    return values
  },
  partOf(all, options) {
    const names = Object.keys(directions)
    const shown = options.rows.toLocaleString('en')
    return {
      name: `pages: 20 rows sorted by an indexed field that may be null, ${databaseName(options)}`,
      figures: names.flatMap((direction) => [
        { what: `${direction}, at row ${nearRow}, p50, ms`, is: spreadOf(seriesOf(all, `${direction} near`)) },
        { what: `${direction}, at row ${shown}, p50, ms`, is: spreadOf(seriesOf(all, `${direction} far`)) },
      ]),
      verdicts: names.flatMap((direction) => {
        const near = seriesOf(all, `${direction} near`)
        const ratios = ratiosOf(seriesOf(all, `${direction} far`), near)
        return refuseUnsteady(
          [judge(`${direction}, the end to row ${nearRow}`, ratios, goal)],
          spreadOf(near),
          'row 10',
        )
      }),
    }
  },
}

/** The address of the page behind this row, found by walking there. */
async function pathAt({ port }: Contestant, sort: string, row: number): Promise<string> {
  const path = `${collectionPath}?sort=${sort}`
  let cursor = ''
  for (let at = 0; at < row; ) {
    const limit = Math.min(1_000, row - at)
    const answer = await fetch(`http://127.0.0.1:${port}${path}&limit=${limit}&fields=id${cursor}`)
    const { items, next } = (await answer.json()) as { items: readonly unknown[]; next: string | null } // A page.
    if (next === null || items.length === 0) throw new Error(`The rows end at ${at + items.length}, before ${row}.`)
    at += items.length
    cursor = `&cursor=${next}`
  }
  return `${path}&limit=${pageRows}${cursor}`
}
