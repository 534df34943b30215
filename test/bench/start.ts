/**
 * `npm run bench:start [-- --repeat 9]`: from the start of the process to its first answer with a row, against the
 * yardstick, in turn.
 */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { waitForPort } from '../support/process.ts'
import { body, freePort, type Name, names, residentMb, start } from './contestant.ts'
import { readCount, withCleanup } from './options.ts'
import { showSpread, spreadOf, table } from './statistics.ts'

const goalMs = 300
const goalRatio = 2.5

const { values } = parseArgs({ options: { repeat: { type: 'string', default: '5' } } })
const repeat = readCount('repeat', values.repeat)
await withCleanup(async (t) => {
  const folders = new Map<Name, string>()
  const timesMs = new Map<Name, number[]>()
  const idleMb = new Map<Name, number[]>()
  for (const name of names) {
    const running = await start(t, name)
    const port = await waitForPort(running, 20_000)
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`http://127.0.0.1:${port}/api/feedback`, { method: 'POST', headers, body })
    if (answer.status !== 201) throw new Error(`${name} answered ${answer.status}: ${await answer.text()}`)
    await running.end('SIGTERM')
    folders.set(name, running.dir)
  }
  // One round more than is counted: the first of each warms the disk's and Node's own caches.
  for (let round = 0; round <= repeat; round += 1) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const port = await freePort()
      const startedMs = performance.now()
      const running = await start(t, name, { cwd: folders.get(name) ?? '', port })
      await firstRow(port)
      const tookMs = performance.now() - startedMs
      if (round > 0) {
        timesMs.set(name, [...(timesMs.get(name) ?? []), tookMs])
        idleMb.set(name, [...(idleMb.get(name) ?? []), residentMb(running.pid)])
      }
      await running.end('SIGTERM')
    }
  }
  const [hand = [], ours = []] = names.map((name) => timesMs.get(name) ?? [])
  const ratio = spreadOf(ours.map((value, at) => value / (hand[at] ?? Number.NaN)))
  const rows = names.map((name) => [
    name,
    showSpread(spreadOf(timesMs.get(name) ?? []), 0),
    showSpread(spreadOf(idleMb.get(name) ?? []), 0),
  ])
  const isReached = spreadOf(ours).median <= goalMs || ratio.median <= goalRatio
  console.log(`${repeat} starts each, in turn; median (least to most)\n`)
  console.log(table([['', 'first row, ms', 'memory then, MB'], ...rows]))
  console.log(`\nratio ${showSpread(ratio)}; goal ${goalMs} ms or ${goalRatio}: ${isReached ? 'reached' : 'missed'}`)
})

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
