import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath, newRow } from '../cases.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { enterCopied, makeDatabase, untilWhole } from './copied-service.ts'
import type { CopyBenchOptions } from './copy-options.ts'
import { type BenchServer, type ServerKind, serverKinds } from './kind.ts'

/** From SIGKILL of the primary to the first whole answer of the copy, in milliseconds. */
const lossGoal = { atMost: 100 } as const

/** All of them list rows; the last ones create rows, too, in turn. */
const clients = 16
const writers = 2

/** How long they ask before the primary is killed, and after it. */
const beforeMs = 1_500
const afterMs = 2_500

interface Lost {
  readonly firstMs: number
  readonly longestMs: number
  readonly beforeMs: number
  readonly failed: number
  /** Rows whose create was answered, and that the copy does not show. */
  readonly lost: number
}

/** How long a reader waits for the copy when the primary is lost. */
export async function measureLoss(t: Cleanup, options: CopyBenchOptions): Promise<readonly Part[]> {
  const kind = serverKinds[options.on]
  const server = await kind.start(t)
  const all: Lost[] = []
  for (let at = 0; at < options.repeat; at += 1) {
    all.push(await withCleanup((scope) => lossOnce(scope, kind, server, options.rows)))
    await server.start()
  }
  const valuesOf = (key: keyof Lost): readonly number[] => all.map((one) => one[key])
  return [
    {
      name: `SIGKILL of ${kind.name} under ${clients} clients, a copy of ${options.rows.toLocaleString('en')} rows`,
      figures: [
        { what: 'first whole answer of the copy, ms', is: spreadOf(valuesOf('firstMs')) },
        { what: 'longest answer after it, ms', is: spreadOf(valuesOf('longestMs')) },
        { what: 'longest answer before it, ms', is: spreadOf(valuesOf('beforeMs')) },
        { what: 'answers that failed', is: spreadOf(valuesOf('failed')) },
      ],
      verdicts: [
        judge('first whole answer of the copy, ms', valuesOf('firstMs'), lossGoal),
        judge('rows that are lost, at the most', [Math.max(...valuesOf('lost'))], { atMost: 0 }),
      ],
    },
  ]
}

interface Answer {
  readonly askedMs: number
  readonly answeredMs: number
  readonly status: number
  readonly isCopied: boolean
  /** The path of a row that was created. */
  readonly location: string | null
}

async function lossOnce(t: Cleanup, kind: ServerKind, server: BenchServer, rows: number): Promise<Lost> {
  const database = await makeDatabase(kind, server, { feedback: rows })
  const one = await enterCopied(t, server.url(database))
  await untilWhole(one, ['feedback', 'holdfast_request'])
  const answers: Answer[] = []
  let isOver = false
  const ask = async (at: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let turn = 0; !isOver; turn += 1) {
      const isCreate = at < writers && turn % 2 === 1
      answers.push(await askOnce(agent, one.port, isCreate ? 'POST' : 'GET'))
    }
    agent.destroy()
  }
  const asking = Promise.all(Array.from({ length: clients }, (_, at) => ask(at)))
  await sleep(beforeMs)
  const killedMs = performance.now()
  await server.kill()
  await sleep(afterMs)
  isOver = true
  await asking
  const after = answers.filter(({ answeredMs }) => answeredMs > killedMs)
  const first = after.find(({ isCopied }) => isCopied)
  if (first === undefined) throw new Error(`The copy does not answer.\n${one.running.output()}`)
  return {
    firstMs: first.answeredMs - killedMs,
    longestMs: longest(after),
    beforeMs: longest(
      answers.filter(({ answeredMs, askedMs }) => answeredMs <= killedMs && askedMs > killedMs - 1_000),
    ),
    failed: answers.filter(({ status }) => status < 200 || status > 299).length,
    lost: await lostOf(one.port, answers),
  }
}

function longest(answers: readonly Answer[]): number {
  return answers.reduce((most, { askedMs, answeredMs }) => Math.max(most, answeredMs - askedMs), 0)
}

async function askOnce(agent: Agent, port: number, method: 'GET' | 'POST'): Promise<Answer> {
  const askedMs = performance.now()
  const path = method === 'GET' ? `${collectionPath}?limit=20` : collectionPath
  const headers = method === 'GET' ? {} : { 'content-type': 'application/json' }
  return await new Promise((resolve) => {
    const failed = (): void =>
      resolve({ askedMs, answeredMs: performance.now(), status: 0, isCopied: false, location: null })
    const asked = request({ agent, port, host: '127.0.0.1', method, path, headers }, (answer) => {
      answer.resume().on('end', () => {
        const { 'holdfast-as-of': asOf, location = null } = answer.headers
        const [answeredMs, status] = [performance.now(), answer.statusCode ?? 0]
        resolve({ askedMs, answeredMs, status, isCopied: status === 200 && asOf !== undefined, location })
      })
    })
    asked.on('error', failed)
    asked.end(method === 'POST' ? newRow : undefined)
  })
}

/** Rows are looked for by their ids; the last ones may still be on their way from the journal's own commit. */
async function lostOf(port: number, answers: readonly Answer[]): Promise<number> {
  let lost = 0
  for (const { location } of answers) {
    if (location === null) continue
    const isThere = (): Promise<boolean> => fetch(`http://127.0.0.1:${port}${location}`).then((answer) => answer.ok)
    const found = await until(isThere, { withinMs: 500, everyMs: 50 }).catch(() => false)
    if (!found) lost += 1
  }
  return lost
}
