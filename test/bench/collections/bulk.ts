import { type Case, collectionPath, newRow } from '../cases.ts'
import { measureInTurn } from '../measure.ts'
import type { On } from '../options.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, type Limit } from '../verdict.ts'
import { adminHeaders } from './asked-rows.ts'
import { databaseName, type Measurement, seriesOf, warmUpSeconds } from './measurement.ts'

/** Rows per second. */
const goals: Readonly<Record<On, Limit>> = { sqlite: { atLeast: 20_000 }, postgresql: { atLeast: 10_000 } }

const rowsOfRequest = 1_000

const create: Case = {
  name: 'a create of many rows',
  goals: null,
  ...{ connections: 1, method: 'POST', at: { path: collectionPath }, headers: adminHeaders },
  body: `[${Array.from({ length: rowsOfRequest }, () => newRow).join()}]`,
}

/** Creates of 1,000 rows a request, one after the other, next to the same by hand. */
export const bulkCreates: Measurement = {
  async measure({ own, byHand }, { seconds }) {
    await measureInTurn(create, [own, byHand], warmUpSeconds)
    const [ours, theirs] = await measureInTurn(create, [own, byHand], Math.max(2, seconds))
    if (ours === undefined || theirs === undefined) throw new Error('unreachable: there are two contestants')
    return {
      ours: ours.perSecond * rowsOfRequest,
      theirs: theirs.perSecond * rowsOfRequest,
      oursUs: ours.cpuUs / rowsOfRequest,
      theirsUs: theirs.cpuUs / rowsOfRequest,
    }
  },
  partOf(all, options) {
    const [ours, theirs] = [seriesOf(all, 'ours'), seriesOf(all, 'theirs')]
    return {
      name: `bulk: creates of ${rowsOfRequest.toLocaleString('en')} rows a request, ${databaseName(options)}`,
      figures: [
        { what: 'by hand, rows/s', is: spreadOf(theirs) },
        { what: 'by hand, processor time of a row, µs', is: spreadOf(seriesOf(all, 'theirsUs')) },
        { what: 'processor time of a row, µs', is: spreadOf(seriesOf(all, 'oursUs')) },
        { what: 'rows/s to by hand', is: spreadOf(ratiosOf(ours, theirs)) },
      ],
      verdicts: [judge('rows/s', ours, goals[options.on])],
    }
  },
}
