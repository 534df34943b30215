import { get } from 'node:http'
import { collectionPath } from '../cases.ts'
import type { Contestant } from '../contestant.ts'
import type { On } from '../options.ts'
import { cpuMs, residentMb } from '../process-meter.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, type Limit } from '../verdict.ts'
import { databaseName, type Measurement, seriesOf } from './measurement.ts'

/** Rows per second, and megabytes that the process may grow by. */
const goals: Readonly<Record<On, Limit>> = { sqlite: { atLeast: 50_000 }, postgresql: { atLeast: 30_000 } }
const growthGoal = { atMost: 48 } as const

const lineFeed = 0x0a

/** How often memory is read. */
const lookMs = 20

interface Streamed {
  readonly perSecond: number
  readonly grownMb: number
  /** Of a row. */
  readonly cpuUs: number
}

/** All rows as NDJSON, next to the same by hand. */
export const stream: Measurement = {
  async measure({ own, byHand }, { rows }) {
    const theirs = await read(byHand, rows)
    const ours = await read(own, rows)
    return {
      ...{ ours: ours.perSecond, theirs: theirs.perSecond, oursMb: ours.grownMb, theirsMb: theirs.grownMb },
      ...{ oursUs: ours.cpuUs, theirsUs: theirs.cpuUs },
    }
  },
  partOf(all, options) {
    const [ours, theirs, grown] = [seriesOf(all, 'ours'), seriesOf(all, 'theirs'), seriesOf(all, 'oursMb')]
    return {
      name: `stream: all rows as NDJSON, ${databaseName(options)}`,
      figures: [
        { what: 'by hand, rows/s', is: spreadOf(theirs) },
        { what: 'by hand, growth of memory, MB', is: spreadOf(seriesOf(all, 'theirsMb')) },
        { what: 'by hand, processor time of a row, µs', is: spreadOf(seriesOf(all, 'theirsUs')) },
        { what: 'processor time of a row, µs', is: spreadOf(seriesOf(all, 'oursUs')) },
        { what: 'rows/s to by hand', is: spreadOf(ratiosOf(ours, theirs)) },
      ],
      verdicts: [judge('rows/s', ours, goals[options.on]), judge('growth of memory, MB', grown, growthGoal)],
    }
  },
}

/** Reads all rows; throws when some are missing. */
async function read({ name, port, running: { pid } }: Contestant, rows: number): Promise<Streamed> {
  const [beforeMb, beforeMs, startedMs] = [residentMb(pid), cpuMs(pid), performance.now()]
  let mostMb = beforeMb
  const watch = setInterval(() => {
    mostMb = Math.max(mostMb, residentMb(pid))
  }, lookMs)
  try {
    const count = await linesOf(`http://127.0.0.1:${port}${collectionPath}?format=ndjson`)
    if (count < rows) throw new Error(`${name} streamed ${count} of ${rows} rows.`)
    const perSecond = count / ((performance.now() - startedMs) / 1_000)
    return { perSecond, grownMb: mostMb - beforeMb, cpuUs: ((cpuMs(pid) - beforeMs) * 1_000) / count }
  } finally {
    clearInterval(watch)
  }
}

function linesOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, (answer) => {
      let count = 0
      answer.on('data', (bytes: Buffer) => {
        for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) count += 1
      })
      answer.on('end', () => resolve(count)).on('error', reject)
    })
    request.on('error', reject)
  })
}
