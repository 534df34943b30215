import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../support/temp.ts'
import { collectionPath, newRow } from '../cases.ts'
import { load } from '../load/generator.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { quantileOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { enterCopied, untilWhole } from './copied-service.ts'
import type { CopyBenchOptions } from './copy-options.ts'
import { type BenchServer, serverKinds } from './kind.ts'

/** From the answer of a write to its row in the copy, in milliseconds. */
const lagGoal = { atMost: 50 } as const

/** Creates and changes that are followed in each repetition. */
const followed = 40

/** Clients that create rows next to them, for so long. */
const connections = 16
const loadS = 6

/** How long a row is looked for, and how often: each look takes 10 µs of another core. */
const withinMs = 5_000
const everyMs = 1

interface Lags {
  readonly quietMs: readonly number[]
  readonly busyMs: readonly number[]
}

/** How long after the answer of a create, or of a change, the row is in the file of the fallback. */
export async function measureLag(t: Cleanup, { on, repeat }: CopyBenchOptions): Promise<readonly Part[]> {
  const kind = serverKinds[on]
  const server = await kind.start(t)
  const all: Lags[] = []
  for (let at = 0; at < repeat; at += 1) all.push(await withCleanup((scope) => lagOnce(scope, server)))
  return [
    partOf(
      `lag of the copy behind an answer, ${kind.name}`,
      all.map(({ quietMs }) => quietMs),
    ),
    partOf(
      `the same next to ${connections} clients that create`,
      all.map(({ busyMs }) => busyMs),
    ),
  ]
}

function partOf(name: string, all: readonly (readonly number[])[]): Part {
  const sorted = all.map((one) => one.toSorted((a, b) => a - b))
  const longest = sorted.map((one) => one.at(-1) ?? Number.NaN)
  return {
    name,
    figures: [
      { what: 'median, ms', is: spreadOf(sorted.map((one) => quantileOf(one, 0.5))) },
      { what: 'longest, ms', is: spreadOf(longest) },
    ],
    verdicts: [judge('longest, ms', longest, lagGoal)],
  }
}

async function lagOnce(t: Cleanup, server: BenchServer): Promise<Lags> {
  const database = await server.createDatabase()
  const one = await enterCopied(t, server.url(database))
  await untilWhole(one, ['feedback', 'holdfast_request'])
  const versionOf = one.file().prepare<unknown[], number>('select version from feedback where id = ?').pluck()
  const follow = (): Promise<readonly number[]> => followMany(one.port, (id) => versionOf.get(id) ?? 0)
  // V8 compiles what is measured.
  await follow()
  const quietMs = await follow()
  const loaded = load({
    ...{ port: one.port, connections, seconds: loadS, method: 'POST', paths: [collectionPath], body: newRow },
  })
  await sleep(1_000)
  const busyMs = await follow()
  const { failures } = await loaded
  if (failures > 0) throw new Error(`${failures} creates failed.\n${one.running.output()}`)
  return { quietMs, busyMs }
}

async function followMany(port: number, versionOf: (id: string) => number): Promise<readonly number[]> {
  const headers = { 'content-type': 'application/json' }
  const lagsMs: number[] = []
  for (let at = 0; at < followed; at += 1) {
    const url = `http://127.0.0.1:${port}${collectionPath}`
    const created = await fetch(url, { method: 'POST', headers, body: newRow })
    const id = created.headers.get('location')?.split('/').at(-1) ?? ''
    lagsMs.push(await lagOf(() => versionOf(id) >= 1))
    await created.text()
    const changed = await fetch(`${url}/${id}`, { method: 'PATCH', headers, body: '{"rating":2}' })
    lagsMs.push(await lagOf(() => versionOf(id) >= 2))
    await changed.text()
    if (created.status !== 201 || changed.status !== 200) throw new Error(`${created.status}, ${changed.status}`)
    await sleep(Math.random() * everyMs * 10)
  }
  return lagsMs
}

async function lagOf(isThere: () => boolean): Promise<number> {
  const answeredMs = performance.now()
  while (!isThere()) {
    if (performance.now() - answeredMs > withinMs) throw new Error('A row that was answered is not in the copy.')
    await sleep(everyMs)
  }
  return performance.now() - answeredMs
}
