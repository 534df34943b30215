import { run } from '../../src/cli/run.ts'
import { readLayers } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { createLog } from '../../src/observe/logs.ts'
import { secretsIn } from '../../src/observe/redaction.ts'
import { announce, createProcessService } from '../../src/service/process-service.ts'
import { resolveLayers } from '../../src/service/resolve.ts'
import { parseLog } from './log.ts'
import { cleanEnvironment, clientOf, makeWorkingDir, type ProcessOptions, type Service } from './process.ts'
import { type Cleanup, cleanLater, writeFiles } from './temp.ts'

/** A service of this process. It has no signals, no exit code and no user of its own. */
export interface Hosted extends Pick<Service, 'dir' | 'port' | 'url' | 'fetch' | 'send' | 'output' | 'log'> {
  /** Closes it and flushes its log. */
  end(): Promise<unknown>
}

/** What a service without a process of its own can be given. */
export type HostOptions = Pick<ProcessOptions, 'env' | 'files' | 'cwd'>

/**
 * What `src/main.ts` does with an environment and a working directory, in this process: a tenth of the processor time of a
 * process, for tests that look at answers and log alone. It ends with the test.
 */
export async function hostService(t: Cleanup, options: HostOptions = {}): Promise<Hosted> {
  const dir = options.cwd ?? (await makeWorkingDir(t))
  await writeFiles(dir, { ...options.files })
  const from = { env: cleanEnvironment(dir, options.env), cwd: dir }
  const layers = await readLayers(from)
  const found = await resolveLayers(layers, resolveSettings(layers), dir)
  const { settings } = found.resolved
  const lines: string[] = []
  const output = { write: (text: string) => lines.push(text) }
  const printed = (): string => lines.join('')
  const log = await createLog({ settings: settings.log, secrets: secretsIn(settings), output })
  const { service, token } = await createProcessService(found, log, from)
  let closing: Promise<void> | null = null
  const end = (): Promise<void> => {
    closing ??= service.close().then(() => log.flush())
    return closing
  }
  cleanLater(t, end)
  const { port } = await service.listen()
  announce(service, found, token, log)
  await service.boot(settings.database.boot)
  return { ...clientOf(port), dir, end, output: printed, log: () => parseLog(printed()) }
}

/** A command line, without a process of its own. */
export async function runCommand(
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env?: ProcessOptions['env'] },
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const printed = { stdout: '', stderr: '' }
  const code = await run(args, {
    env: cleanEnvironment(cwd, env),
    cwd,
    paint: (_tone, text) => text,
    out: (text) => {
      printed.stdout += text
    },
    terminal: null,
    interrupted: () => new AbortController().signal,
    err: (text) => {
      printed.stderr += text
    },
    start: () => Promise.reject(new Error('A command of a test starts no service.')),
  })
  return { code, ...printed }
}
