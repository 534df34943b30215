import { setTimeout as sleep } from 'node:timers/promises'
import { S3Server } from '../../support/s3-server.ts'
import type { Cleanup } from '../../support/temp.ts'
import type { Part } from '../part.ts'
import { cpuMs } from '../process-meter.ts'
import { spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { ArchiveBenchOptions } from './archive-options.ts'
import { enterArchived } from './archived-service.ts'

/** After the last write the rest is sent, and its snapshot. */
const settlingMs = 5_000

/** What a service that nobody writes to asks of its bucket. */
export async function measureIdle(t: Cleanup, { watchedS }: ArchiveBenchOptions): Promise<readonly Part[]> {
  const server = await S3Server.start(t)
  const one = await enterArchived(t, { env: { ...server.env(), ARCHIVE_DRILL: '0' } })
  await sleep(settlingMs)
  const [requests, usedMs] = [server.requests.length, cpuMs(one.running.pid)]
  await sleep(watchedS * 1_000)
  const percent = (cpuMs(one.running.pid) - usedMs) / (watchedS * 10)
  return [
    {
      name: `an idle service with an archive, ${watchedS} s`,
      figures: [{ what: 'of one core, %', is: spreadOf([percent]) }],
      verdicts: [judge('requests to the bucket', [server.requests.length - requests], { atMost: 0 })],
    },
  ]
}
