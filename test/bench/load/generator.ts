import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { repository } from '../../support/process.ts'
import type { LoadOptions, LoadResult } from './load.ts'

let generator: ChildProcess | null = null

/** Runs the load in a process of its own, the same one each time: its first thousand requests would be slow otherwise. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  // Latencies travel as they are, not as text.
  generator ??= fork(join(repository, 'test/bench/load/load.ts'), { serialization: 'advanced' })
  const child = generator
  const answer = new Promise<LoadResult>((resolve, reject) => {
    child.once('message', (result) => resolve(result as LoadResult)) // load.ts sends nothing else.
    child.once('exit', (code) => reject(new Error(`The load generator ended with ${code}.`)))
  })
  child.send(options)
  return await answer.finally(() => child.removeAllListeners())
}

/** Ends what `load` keeps. */
export function endLoad(): void {
  generator?.disconnect()
  generator = null
}
