/** Where the code is that runs: the build when it is newer than the sources, else the sources. Plain JavaScript. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { needsStripFlag, root } from './runtime.js'

/** What the build is made of. */
const inputs = ['src', 'plugins', 'package.json']

/** Written last by the build, so that its time is that of a whole build. */
export const stamp = join(root, 'dist/built.json')

/** True when there is a build and nothing that it was made of is newer. */
export function isBuilt() {
  if (!existsSync(stamp)) return false
  const builtMs = statSync(stamp).mtimeMs
  return inputs.every((input) => newestMs(join(root, input)) <= builtMs)
}

/**
 * Imports the process (`main`) or the command line (`cli`).
 *
 * Node's compile cache takes a sixth off the start. It is kept beside the build, never in the shared temporary folder,
 * where another user could lay code for us to run; where that cannot be written, Node goes on without.
 */
export async function importEntry(name) {
  if (name === 'main') holdSignals()
  const built = existsSync(stamp) && (!existsSync(join(root, 'src/main.ts')) || isBuilt())
  if (built) {
    const module = await import('node:module')
    if (!process.env.NODE_DISABLE_COMPILE_CACHE) module.enableCompileCache?.(join(root, 'dist/cache'))
    return import(pathToFileURL(join(root, 'dist', `${name}.js`)).href)
  }
  if (needsStripFlag(process.versions.node)) {
    console.error('Node before 22.18 does not run the sources as they are: run "npm run build".')
    process.exitCode = 1
    return
  }
  return import(pathToFileURL(join(root, name === 'main' ? 'src/main.ts' : 'src/cli/main.ts')).href)
}

/** Remembers what arrives before the service can obey it: what src/service/early-signals.ts does, and hands on. */
function holdSignals() {
  const seen = []
  const remember = (signal) => {
    if (signal !== 'SIGHUP' && seen.some((one) => one !== 'SIGHUP')) process.exit(1)
    seen.push(signal)
  }
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']
  const release = () => {
    for (const signal of signals) process.removeListener(signal, remember)
  }
  for (const signal of signals) process.on(signal, remember)
  globalThis[Symbol.for('holdfast.signals')] = { seen, release }
}

/** The newest change below a path; a folder's own time tells of files that were removed. 0 when it is not there. */
function newestMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestMs(join(path, name))), stat.mtimeMs)
}
