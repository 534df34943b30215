import type { Cleanup } from '../../support/temp.ts'
import { cases } from '../cases.ts'
import type { Contestant } from '../contestant.ts'
import { measureInTurn, seed } from '../measure.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { residentMb } from '../process-meter.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { ArchiveBenchOptions } from './archive-options.ts'
import { enterArchived, makeArchiveFolder } from './archived-service.ts'

/** Megabytes more than without an archive. */
const moreGoal = { atMost: 40 } as const

const sampleMs = 100

/** What an archive holds in memory under load: segments, snapshots and a drill among it. */
export async function measureArchiveMemory(_t: Cleanup, options: ArchiveBenchOptions): Promise<readonly Part[]> {
  const all: { readonly archivedMb: number; readonly plainMb: number }[] = []
  for (let at = 0; at < options.repeat; at += 1) all.push(await withCleanup((scope) => memoryOnce(scope, options)))
  return [
    {
      name: 'memory under load, with an archive, next to without',
      figures: [
        { what: 'without, most MB', is: spreadOf(all.map(({ plainMb }) => plainMb)) },
        { what: 'with, most MB', is: spreadOf(all.map(({ archivedMb }) => archivedMb)) },
      ],
      verdicts: [
        judge(
          'MB more',
          all.map(({ archivedMb, plainMb }) => archivedMb - plainMb),
          moreGoal,
        ),
      ],
    },
  ]
}

async function memoryOnce(
  t: Cleanup,
  { rows, seconds }: ArchiveBenchOptions,
): Promise<{ readonly archivedMb: number; readonly plainMb: number }> {
  const { env } = await makeArchiveFolder(t)
  const archived = await seed(await enterArchived(t, { env: { ...env, ARCHIVE_DRILL: '5' } }), rows)
  const plain = await seed(await enterArchived(t), rows)
  const [archivedMost, plainMost] = [watch(t, archived), watch(t, plain)]
  for (const one of cases) {
    if (['get', 'create64', 'mixed'].includes(one.name)) await measureInTurn(one, [archived, plain], 2 * seconds)
  }
  return { archivedMb: archivedMost(), plainMb: plainMost() }
}

/** The most that a process held so far. */
function watch(t: Cleanup, { running }: Contestant): () => number {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, residentMb(running.pid))
  }, sampleMs)
  t.after(() => clearInterval(timer))
  return () => most
}
