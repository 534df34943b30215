import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../support/temp.ts'
import type { Part } from '../part.ts'
import { residentMb } from '../process-meter.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { enterCopied, isPrimary, makeDatabase, untilWhole } from './copied-service.ts'
import type { CopyBenchOptions } from './copy-options.ts'
import { serverKinds } from './kind.ts'

/** Memory of the last quarter, times that of the second: the first is the end of the start. */
const growthGoal = { atMost: 1.05 } as const

/** The table that stays out has so many times the rows of the one that is copied. */
const leftOutFactor = 1.5

/** Fast enough to sweep a million rows several times. */
const sweepRate = 20_000

/** What a service holds while it sweeps a large copy next to a table that is too large for one. */
export async function measureMemory(t: Cleanup, { on, large, minutes }: CopyBenchOptions): Promise<readonly Part[]> {
  const kind = serverKinds[on]
  const server = await kind.start(t)
  const leftOut = Math.round(large * leftOutFactor)
  const database = await makeDatabase(kind, server, { feedback: large, notes: leftOut })
  // Between the one, at most 1,000 bytes a row, and both.
  const env = { COPY_RATE: String(sweepRate), COPY_MAX_BYTES: String(Math.round(large * 1_000)) }
  const one = await enterCopied(t, server.url(database), env, ['feedback', 'notes'])
  await untilWhole(one, ['feedback'], 600_000)
  const reader = one.file()
  const copied = reader.prepare<unknown[], string>('select name from holdfast_copy order by name').pluck().all()
  if (copied.includes('notes')) throw new Error(`The large table is copied, too.\n${one.running.output()}`)
  const turns = reader
    .prepare<unknown[], string | null>("select after from holdfast_copy where name = 'feedback'")
    .pluck()
  const filledMb = residentMb(one.running.pid)
  const seen: number[] = []
  let [sweeps, last] = [0, turns.get() ?? '']
  for (const endMs = performance.now() + minutes * 60_000; performance.now() < endMs; ) {
    await sleep(1_000)
    // Somebody asks: else the copy would rest.
    await isPrimary(one)
    seen.push(residentMb(one.running.pid))
    const now = turns.get() ?? ''
    if (now < last) sweeps += 1
    last = now
  }
  const quarters = [0, 1, 2, 3].map((at) => seen.slice((at * seen.length) / 4, ((at + 1) * seen.length) / 4))
  const [, second = [], , fourth = []] = quarters
  return [
    {
      name: `memory over ${minutes} minutes, ${large.toLocaleString('en')} rows copied, ${leftOut.toLocaleString('en')} left out, ${kind.name}`,
      figures: [
        { what: 'after the first copy, MB', is: spreadOf([filledMb]) },
        ...quarters.map((mb, at) => ({ what: `quarter ${at + 1}, MB`, is: spreadOf(mb) })),
        { what: 'sweeps', is: spreadOf([sweeps]) },
      ],
      verdicts: [judge('last quarter to the second', [spreadOf(fourth).median / spreadOf(second).median], growthGoal)],
    },
  ]
}
