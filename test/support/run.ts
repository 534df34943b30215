import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { repository } from './process.ts'
import { makeTempDirSync, removeDir, removeDirSync, serversDir } from './temp.ts'

/** Holds the folder in which the files of one run leave what is long in the making; not set where one file runs alone. */
const variable = 'HOLDFAST_TEST_RUN'

/** Called by Node before the first file of `npm test`, and `globalTeardown` after the last. */
export function globalSetup(): void {
  // Beside the build, as the launchers have it: a new build begins a new one.
  process.env.NODE_COMPILE_CACHE ??= join(repository, 'dist/cache')
  const dir = makeTempDirSync('run', serversDir)
  process.env[variable] = dir
  removeWithUs(dir)
}

export function globalTeardown(): void {
  const dir = process.env[variable]
  if (dir !== undefined) removeDirSync(dir)
}

/**
 * Makes the folder `target`: by a copy of the one that another file of this run made under this name, else by `make`. Nobody
 * waits for another: those who come first make one each, and the first to be ready leaves a copy of his.
 */
export async function makeOnce(name: string, target: string, make: () => Promise<void>): Promise<void> {
  const dir = process.env[variable]
  if (dir === undefined) return await make()
  const kept = join(dir, name)
  if (existsSync(kept)) return await copy(kept, target)
  await make()
  if (existsSync(kept)) return
  const own = `${target}-copy`.replaceAll('/', '_')
  await copy(target, join(dir, own))
  await rename(join(dir, own), kept).catch(() => removeDir(join(dir, own)))
}

/** Owners and modes stay as they are, which Node's own does not do. */
async function copy(from: string, to: string): Promise<void> {
  const [code] = await once(spawn('cp', ['-a', from, to], { stdio: 'ignore' }), 'close')
  if (code !== 0) throw new Error(`cp -a ${from} ${to} ended with ${code}`)
}

/** By a process that outlives this one by a moment, since its input ends with us: at a SIGKILL no hook of ours runs. */
function removeWithUs(dir: string): void {
  const args = ['-c', 'read -r said; rm -rf -- "$1"', 'remover', dir]
  const child = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  child.on('error', () => {})
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
}
