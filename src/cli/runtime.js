/**
 * Which Node runs us: the one that the project brings, else the system's when it is new enough, else one sentence.
 *
 * Plain JavaScript, because this is what an old Node reads first: nothing in here is newer than Node 14.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's root: two folders up. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The oldest Node that MikroORM 7 runs on. */
const oldest = [22, 17]

/** The Node that `npm ci` brings. Not there in a production installation. */
const bundled = join(root, 'node_modules/node/bin/node')

/**
 * Calls `run` when this Node is the right one; else runs the same command on the bundled Node and ends as that ends;
 * else prints one sentence and ends with 1.
 */
export async function onRightNode(run) {
  if (isBundledElsewhere() && (await becomeBundled())) return
  if (isNewEnough(process.versions.node)) return run()
  console.error(
    `Holdfast needs Node ${oldest.join('.')} or newer and this is ${process.versions.node}: run "npm ci" in ${root}, ` +
      'which brings its own (if it did, "npm rebuild node"), or install a newer Node.',
  )
  process.exitCode = 1
}

/** True when a version can run us. */
export function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/** Options of Node that sources need: types are stripped without asking from 22.18 on. */
export function needsStripFlag(version) {
  const [major, minor] = version.split('.').map(Number)
  return major === 22 && minor < 18
}

function isBundledElsewhere() {
  try {
    accessSync(bundled, constants.X_OK)
    return realpathSync(bundled) !== realpathSync(process.execPath)
  } catch {
    return false
  }
}

/** Resolves with false when the bundled Node does not start here: `node_modules` of another machine, say. */
function becomeBundled() {
  const args = [...process.execArgv, ...process.argv.slice(1)]
  return new Promise((resolve) => {
    const child = spawn(bundled, args, { stdio: 'inherit' })
    // A terminal sends its Ctrl-C to both of us; passed on, it would arrive twice.
    const pass = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
    for (const signal of signals) process.on(signal, pass)
    child.once('error', () => {
      for (const signal of signals) process.removeListener(signal, pass)
      resolve(false)
    })
    child.once('exit', (code, signal) => {
      for (const one of signals) process.removeListener(one, pass)
      if (signal === null) process.exitCode = code
      else process.kill(process.pid, signal)
      resolve(true)
    })
  })
}
