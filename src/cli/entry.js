/** Chooses the code that runs: the build or the sources. Plain JavaScript, which an old Node reads first. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { endLike, fs, needsStripFlag, root, runChild } from './runtime.js'

/** What the build is made of. */
const inputs = ['src', 'plugins', 'package.json']

/** Written last by the build, so that its time is that of a whole build. */
export const stamp = join(root, 'dist/built.json')

/** True when there is a build and nothing that it was made of is newer. */
export function isBuilt() {
  if (!fs.existsSync(stamp)) return false
  const builtMs = fs.statSync(stamp).mtimeMs
  return inputs.every((input) => newestMs(join(root, input)) <= builtMs)
}

/**
 * Imports the process (`main`) or the command line (`cli`): from the build when it is newer than the sources, else from the
 * sources.
 *
 * @param {'main' | 'cli'} name
 */
export async function importEntry(name) {
  if (name === 'main') holdSignals()
  return hasSources() && !isBuilt() ? importSource(name) : importBuild(name)
}

/**
 * The same for `npm start`: always from the build, which is made first when it is older than the sources. Where the packages
 * that build are not installed, the build that is there runs; where there is none, the sources.
 *
 * @param {'main' | 'cli'} name
 */
export async function importStart(name) {
  if (hasSources() && !isBuilt()) {
    const ended = await runChild(process.execPath, [join(root, 'src/cli/build.js'), '--stale', '--optional'])
    if (ended !== null && (ended.code !== 0 || ended.signal !== null)) return endLike(ended)
  }
  if (name === 'main') holdSignals()
  return fs.existsSync(stamp) ? importBuild(name) : importSource(name)
}

function hasSources() {
  return fs.existsSync(join(root, 'src/main.ts'))
}

/**
 * Node's compile cache makes a start a sixth faster. It is stored next to the build and not in the shared temporary folder, where
 * another user could place code for us to run; where it cannot be written, Node goes on without it.
 *
 * @param {'main' | 'cli'} name
 */
async function importBuild(name) {
  const module = await import('node:module')
  if (!process.env.NODE_DISABLE_COMPILE_CACHE) module.enableCompileCache?.(join(root, 'dist/cache'))
  return import(pathToFileURL(join(root, 'dist', `${name}.js`)).href)
}

/** @param {'main' | 'cli'} name */
async function importSource(name) {
  if (!needsStripFlag(process.versions.node)) {
    return import(pathToFileURL(join(root, name === 'main' ? 'src/main.ts' : 'src/cli/main.ts')).href)
  }
  console.error('Node before 22.18 does not run the sources as they are: run "npm run build".')
  process.exitCode = 1
}

/** Remembers what arrives before the service can obey it: what src/service/early-signals.ts does, and hands on. */
function holdSignals() {
  /** @type {NodeJS.Signals[]} */
  const seen = []
  /** @param {NodeJS.Signals} signal */
  const remember = (signal) => {
    if (signal !== 'SIGHUP' && seen.some((one) => one !== 'SIGHUP')) process.exit(1)
    seen.push(signal)
  }
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']
  const release = () => {
    for (const signal of signals) process.removeListener(signal, remember)
  }
  for (const signal of signals) process.on(signal, remember)
  Object.assign(globalThis, { [Symbol.for('holdfast.signals')]: { seen, release } })
}

/**
 * The newest change below a path, 0 when it is absent; a folder's own time changes when a file in it is removed.
 *
 * @param {string} path
 * @param {boolean} [isFile]
 * @returns {number}
 */
function newestMs(path, isFile) {
  const stat = fs.statSync(path, { throwIfNoEntry: false })
  if (!stat) return 0
  if (isFile || !stat.isDirectory()) return stat.mtimeMs
  let newest = stat.mtimeMs
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    // A page of documentation is not built.
    if (!entry.name.endsWith('.md')) newest = Math.max(newest, newestMs(`${path}/${entry.name}`, entry.isFile()))
  }
  return newest
}
