import { type Case, collectionPath } from '../cases.ts'
import { measureInTurn } from '../measure.ts'
import type { On } from '../options.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, type Limit, refuseUnsteady } from '../verdict.ts'
import { databaseName, type Measurement, seriesOf, warmUpSeconds } from './measurement.ts'
import { modelNames } from './seed-text.ts'

/** The rate as a share of that by hand. */
const goals: Readonly<Record<On, Limit>> = { sqlite: { atLeast: 0.9 }, postgresql: { atLeast: 0.95 } }

const filtered: Case = { name: 'a filtered list', goals: null, connections: 64, method: 'GET', at: 'rows' }

/** A list of 20 rows by an indexed field, next to the same by hand. */
export const filteredList: Measurement = {
  async measure({ own, byHand }, { rows, seconds }) {
    const rowPaths = modelNames(rows, 500).map((name) => `${collectionPath}?model=${name}&limit=20`)
    const both = [own, byHand].map((one) => ({ ...one, rowPaths }))
    await measureInTurn(filtered, both, warmUpSeconds)
    const [ours, theirs] = await measureInTurn(filtered, both, seconds)
    if (ours === undefined || theirs === undefined) throw new Error('unreachable: there are two contestants')
    return { ours: ours.perSecond, theirs: theirs.perSecond, oursUs: ours.cpuUs, theirsUs: theirs.cpuUs }
  },
  partOf(all, options) {
    const ratios = ratiosOf(seriesOf(all, 'ours'), seriesOf(all, 'theirs'))
    const byHand = spreadOf(seriesOf(all, 'theirs'))
    return {
      name: `list: 20 rows by an indexed field, ${databaseName(options)}`,
      figures: [
        { what: 'by hand, requests/s', is: byHand },
        { what: 'requests/s', is: spreadOf(seriesOf(all, 'ours')) },
        { what: 'by hand, processor time, µs', is: spreadOf(seriesOf(all, 'theirsUs')) },
        { what: 'processor time, µs', is: spreadOf(seriesOf(all, 'oursUs')) },
      ],
      verdicts: refuseUnsteady([judge('requests/s to by hand', ratios, goals[options.on])], byHand),
    }
  },
}
