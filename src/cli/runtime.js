/**
 * Chooses the Node that runs Holdfast: the project's own, else the system's if it is new enough, else prints one sentence.
 *
 * Plain JavaScript, because this is what an old Node reads first: nothing in here is newer than Node 14.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Not by `import`: that reads every export of it, and one loads Node's streams.
 *
 * @type {typeof import('node:fs')}
 */
export const fs = createRequire(import.meta.url)('fs')

/** The package's root: two folders up. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The oldest Node that MikroORM 7 runs on. */
const oldest = /** @type {const} */ ([22, 17])

/** The Node that `npm ci` brings. Not there in a production installation. */
const bundled = join(root, 'node_modules/node/bin/node')

/**
 * Calls `run` when this Node is the right one; else runs the same command on the bundled Node and ends as that ends;
 * else prints one sentence and ends with 1.
 *
 * @param {() => unknown} run
 */
export async function onRightNode(run) {
  endWithLauncher()
  if (isBundledElsewhere() && (await becomeBundled())) return
  if (isNewEnough(process.versions.node)) {
    await run()
    return
  }
  console.error(
    `Holdfast needs Node ${oldest.join('.')} or newer and this is ${process.versions.node}: run "npm ci" in ${root}, ` +
      'which brings its own (if it did, "npm rebuild node"), or install a newer Node.',
  )
  process.exitCode = 1
}

/**
 * True when a version of Node can run us.
 *
 * @param {string} version
 */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/**
 * True when a version of Node runs TypeScript only with an option: from 22.18 on it does without.
 *
 * @param {string} version
 */
export function needsStripFlag(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major === 22 && minor < 18
}

function isBundledElsewhere() {
  try {
    fs.accessSync(bundled, fs.constants.X_OK)
    return fs.realpathSync(bundled) !== fs.realpathSync(process.execPath)
  } catch {
    return false
  }
}

/** The process that launched this one on another Node, in the environment of this one alone. */
const launcherVariable = 'HOLDFAST_LAUNCHER'
const launcherCheckMs = 500

/** A launcher that is killed passes no signal on, and this process would keep the port: it ends as after SIGTERM. */
function endWithLauncher() {
  const launcher = Number(process.env[launcherVariable])
  delete process.env[launcherVariable]
  if (!launcher) return
  const timer = setInterval(() => {
    // An orphan gets another parent.
    if (process.ppid === launcher) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, launcherCheckMs)
  timer.unref()
}

/** Resolves with false when the bundled Node does not start here: `node_modules` of another machine, say. */
async function becomeBundled() {
  const env = { ...process.env, [launcherVariable]: String(process.pid) }
  const ended = await runChild(bundled, [...process.execArgv, ...process.argv.slice(1)], env)
  if (ended === null) return false
  endLike(ended)
  return true
}

/**
 * How a child ended.
 *
 * @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Ended
 */

/**
 * Runs a command that gets our streams, and our signals while it runs; resolves with null when it does not start.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Ended | null>}
 */
export function runChild(command, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit', env })
    /** @param {NodeJS.Signals} signal */
    const pass = (signal) => {
      // A terminal sends its Ctrl-C to both of us; passed on, it would arrive twice.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
    for (const signal of signals) process.on(signal, pass)
    /** @param {Ended | null} ended */
    const end = (ended) => {
      for (const signal of signals) process.removeListener(signal, pass)
      resolve(ended)
    }
    child.once('error', () => end(null))
    child.once('exit', (code, signal) => end({ code, signal }))
  })
}

/**
 * Ends this process as a child ended: with its code, or by its signal.
 *
 * @param {Ended} ended
 */
export function endLike({ code, signal }) {
  if (signal === null) process.exitCode = code ?? 1
  else process.kill(process.pid, signal)
}
