import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { v7 } from 'uuid'
import { startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath, newRow } from '../cases.ts'
import { type Contestant, enter, freePort, start } from '../contestant.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { residentMb } from '../process-meter.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { columns, drawRow, insertText } from './fallback-rows.ts'
import type { JournalBenchOptions } from './journal-options.ts'

/** From the start of the process to its first answer of the primary, in milliseconds. */
const startLimit = { atMost: 1_000 } as const

/** How often starts are measured: each of them carries a part of the journal before it is killed. */
const startsMax = 3

/** Rows that one transaction of the filling inserts; a journal entry's own transaction is what the function says. */
const fillStep = 10_000

/** A service that starts with a large journal: when it serves, and what it holds while it carries. */
export async function measureLarge(t: Cleanup, { large, repeat }: JournalBenchOptions): Promise<readonly Part[]> {
  const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']
  const server = await startPostgres(t, { settings })
  const url = server.url(await server.createDatabase())
  const dir = await makeTempDir(t, 'large')
  const file = await withCleanup((scope) => makeFile(scope, dir, large))
  const empty = await makeTempDir(t, 'empty')
  await withCleanup((scope) => makeFile(scope, empty, 0))
  const name = `a journal of ${large.toLocaleString('en')} entries`
  const starts = Math.min(repeat, startsMax)
  await server.stop()
  const alone = await seriesOf(starts, () => withCleanup((scope) => startOnce(scope, dir, url, 'journal')))
  await server.start()
  const next = await seriesOf(starts, () => withCleanup((scope) => startOnce(scope, dir, url, 'primary')))
  const bare = await seriesOf(starts, () => withCleanup((scope) => startOnce(scope, empty, url, 'primary')))
  const memory = await withCleanup((scope) => carryAll(scope, dir, url, file))
  return [
    {
      name: `${name}: start`,
      figures: [
        { what: 'listens, ms', is: spreadOf(next.map(({ listensMs }) => listensMs)) },
        { what: 'first create in the primary, ms', is: spreadOf(next.map(({ createdMs }) => createdMs)) },
        { what: 'the same without a journal, ms', is: spreadOf(bare.map(({ createdMs }) => createdMs)) },
        { what: 'without the primary: listens, ms', is: spreadOf(alone.map(({ listensMs }) => listensMs)) },
        { what: 'first create in the fallback, after its check, ms', is: spreadOf(alone.map((one) => one.createdMs)) },
      ],
      verdicts: [
        judge(
          'first create in the primary, ms',
          next.map(({ createdMs }) => createdMs),
          startLimit,
        ),
        judge(
          'listens without the primary, ms',
          alone.map(({ listensMs }) => listensMs),
          startLimit,
        ),
      ],
    },
    memory,
  ]
}

async function seriesOf<T>(count: number, one: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = []
  for (let at = 0; at < count; at += 1) all.push(await one())
  return all
}

/** A folder of a service whose fallback has that many entries; the path of the file. */
async function makeFile(t: Cleanup, dir: string, entries: number): Promise<string> {
  const url = `postgres://holdfast@127.0.0.1:${await freePort()}/nothing`
  const one = await enter(t, 'holdfast', url)
  await create(one.port, 'journal')
  await one.running.end('SIGTERM')
  await cp(one.running.dir, dir, { recursive: true })
  const found = (await readdir(dir, { recursive: true })).find((path) => /\.(?:db|sqlite3?)$/.test(path))
  if (found === undefined) throw new Error('The service made no file.')
  const file = join(dir, found)
  fillFile(file, entries)
  return file
}

/** As fast as SQLite can: the triggers of the file run, with a function of ours that says who writes. */
function fillFile(file: string, entries: number): void {
  const native = new Database(file)
  native.pragma('synchronous = off')
  let author = ''
  native.function('holdfast_author', (_waiting: unknown) => author)
  const insert = native.prepare(insertText)
  for (let done = 0; done < entries; done += fillStep) {
    native.exec('begin')
    for (let at = done; at < Math.min(entries, done + fillStep); at += 1) {
      const row = drawRow()
      author = v7() + row.holdfast_attempt
      insert.run(columns.map((name) => row[name]))
    }
    native.exec('commit')
  }
  native.pragma('wal_checkpoint(truncate)')
  native.close()
}

interface Started {
  readonly listensMs: number
  readonly createdMs: number
}

/** Starts the service, waits for its first create, and kills it. */
async function startOnce(t: Cleanup, dir: string, url: string, durability: 'primary' | 'journal'): Promise<Started> {
  const port = await freePort()
  const startedMs = performance.now()
  const running = await start(t, 'holdfast', { cwd: dir, port, url })
  const live = () => fetch(`http://127.0.0.1:${port}/health/live`).then(({ ok }) => ok)
  await until(live, { withinMs: 60_000, everyMs: 2, what: 'the service to listen' })
  const listensMs = performance.now() - startedMs
  await create(port, durability)
  const createdMs = performance.now() - startedMs
  await running.end('SIGKILL')
  return { listensMs, createdMs }
}

/** Creates a row in the store that is meant. */
async function create(port: number, durability: 'primary' | 'journal'): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const created = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}`, { method: 'POST', headers, body: newRow })
    await answer.text()
    return answer.status === 201 && answer.headers.get('holdfast-durability')?.replace('-ephemeral', '') === durability
  }
  await until(created, { withinMs: 120_000, everyMs: 2, what: `a create in the ${durability}` })
}

/** Carries the whole journal, with the memory of the process at its quarters. */
async function carryAll(t: Cleanup, dir: string, url: string, file: string): Promise<Part> {
  const port = await freePort()
  const running = await start(t, 'holdfast', { cwd: dir, port, url })
  await create(port, 'primary')
  const one: Contestant = { name: 'holdfast', running, port }
  const reader = new Database(file, { readonly: true })
  t.after(() => void reader.close())
  const waiting = reader.prepare<unknown[], number>('select total(entries) from holdfast_address').pluck()
  const [firstMb, all, startedMs] = [residentMb(one.running.pid), waiting.get() ?? 0, performance.now()]
  const seen: { readonly left: number; readonly mb: number }[] = []
  const isDone = (): boolean => {
    const left = waiting.get() ?? 0
    seen.push({ left, mb: residentMb(one.running.pid) })
    return left === 0
  }
  await until(isDone, { withinMs: 600_000, everyMs: 100, what: 'the journal to be carried' })
  const seconds = (performance.now() - startedMs) / 1_000
  const quarters = [0, 1, 2, 3].map((at) =>
    seen.filter(({ left }) => left <= all * (1 - at / 4) && left >= all * (0.75 - at / 4)).map(({ mb }) => mb),
  )
  return {
    name: `the same: carried while the primary serves (${all.toLocaleString('en')} entries were left)`,
    figures: [
      { what: 'entries/s', is: spreadOf([all / seconds]) },
      { what: 'memory after the first create, MB', is: spreadOf([firstMb]) },
      ...quarters.map((mb, at) => ({ what: `memory in quarter ${at + 1}, MB`, is: spreadOf(mb) })),
    ],
    verdicts: [],
  }
}
