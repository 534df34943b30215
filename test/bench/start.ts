/**
 * `npm run bench:start [-- --repeat 9] [--json]`: from the start of the process to its first answer with a row, next to the
 * other servers, in turn, on SQLite.
 */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { waitForPort } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'
import { collectionPath, newRow } from './cases.ts'
import { idleLimit } from './contest.ts'
import { freePort, type Name, start } from './contestant.ts'
import { readCount, withCleanup } from './options.ts'
import { residentMb } from './process-meter.ts'
import { ratiosOf, showSpread, spreadOf, table } from './statistics.ts'
import { judge, refuseUnsteady } from './verdict.ts'
import { showVerdicts } from './verdict-text.ts'

const names = ['by hand', 'fastify + drizzle', 'holdfast'] as const
type Starter = (typeof names)[number]

/** Times the time of the server written by hand. */
const ratioLimit = { atMost: 2 } as const

interface Starts {
  readonly timesMs: number[]
  readonly idleMb: number[]
}

const { values } = parseArgs({
  options: { repeat: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
})
const repeat = readCount('repeat', values.repeat)
await withCleanup(async (t) => {
  const results = await measureStarts(t)
  const startsOf = (name: Starter) => results.get(name) ?? { timesMs: [], idleMb: [] }
  const hand = startsOf('by hand').timesMs
  const ours = startsOf('holdfast')
  const starts = names.map((name) => {
    const { timesMs, idleMb } = startsOf(name)
    const ratios = ratiosOf(timesMs, hand)
    return { name, firstRowMs: spreadOf(timesMs), idleMb: spreadOf(idleMb), ratio: spreadOf(ratios), ratios }
  })
  const timing = [judge('first row, times by hand', ratiosOf(ours.timesMs, hand), ratioLimit)]
  const verdicts = [
    ...refuseUnsteady(timing, spreadOf(hand)),
    judge('memory after the first row, MB', ours.idleMb, idleLimit),
  ]
  if (values.json) {
    console.log(JSON.stringify({ repeat, node: process.version, starts, verdicts }, null, 2))
    return
  }
  const rows = starts.map(({ name, firstRowMs, ratio, idleMb }) => [
    ...[name, showSpread(firstRowMs, 0), showSpread(ratio), showSpread(idleMb, 0)],
  ])
  console.log(`${repeat} starts each, in turn; median (least to most)\n`)
  console.log(table([['', 'first row, ms', 'times by hand', 'memory then, MB'], ...rows]))
  console.log(showVerdicts(verdicts))
})

async function measureStarts(t: Cleanup): Promise<ReadonlyMap<Starter, Starts>> {
  const folders = new Map<Name, string>()
  const results = new Map<Starter, Starts>()
  for (const name of names) {
    const running = await start(t, name)
    const port = await waitForPort(running, 20_000)
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}`, { method: 'POST', headers, body: newRow })
    if (answer.status !== 201) throw new Error(`${name} answered ${answer.status}: ${await answer.text()}`)
    await running.end('SIGTERM')
    folders.set(name, running.dir)
    results.set(name, { timesMs: [], idleMb: [] })
  }
  // One round more than is counted: the first of each warms the disk's and Node's own caches.
  for (let round = 0; round <= repeat; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const port = await freePort()
      const startedMs = performance.now()
      const running = await start(t, name, { cwd: folders.get(name) ?? '', port })
      await firstRow(port)
      const tookMs = performance.now() - startedMs
      if (round > 0) {
        results.get(name)?.timesMs.push(tookMs)
        results.get(name)?.idleMb.push(residentMb(running.pid))
      }
      await running.end('SIGTERM')
    }
  }
  return results
}

/** Asks again and again, over a fresh connection, until a row comes. */
async function firstRow(port: number): Promise<void> {
  const limitMs = performance.now() + 20_000
  while (performance.now() < limitMs) {
    const text = await ask(port)
    if (/^HTTP\/1\.1 200/.test(text) && text.includes('"rating":4')) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error('No row came within 20 s.')
}

async function ask(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  socket.on('error', () => undefined)
  socket.on('connect', () => {
    socket.write('GET /api/feedback?limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  })
  // Not `once`: that rejects when the connection is refused, as it is at first.
  await new Promise<void>((resolve) => socket.on('close', () => resolve()))
  return text
}
