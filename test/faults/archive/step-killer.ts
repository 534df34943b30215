/**
 * Loaded before the program (`--import`): ends the process with SIGKILL at the step KILL_AT_STEP of its own, before or after it
 * (KILL_SIDE). Steps are what it does to files and asks of other machines, counted from the start, or from SIGUSR2 on
 * (KILL_FROM=signal).
 */
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import Database from 'better-sqlite3'

type Callable = (this: unknown, ...args: unknown[]) => unknown

const at = Number(process.env.KILL_AT_STEP ?? 'NaN')
const isBefore = process.env.KILL_SIDE === 'before'
/** Not counted before the signal, where that is asked for. */
let count = process.env.KILL_FROM === 'signal' ? Number.NEGATIVE_INFINITY : 0

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

function isStep(args: readonly unknown[]): boolean {
  const [first] = args
  if (typeof first === 'number') return first > 2
  return typeof first !== 'string' || !/node_modules|\/dist\/|\/config\/|^\/(?:proc|sys|etc)\//.test(first)
}

/** The same function, at whose turn the process ends. */
function counted(original: Callable, hasCallback: boolean): Callable {
  return function (...args) {
    if (!isStep(args)) return original.apply(this, args)
    count += 1
    const isTurn = count === at
    if (isTurn && isBefore) die()
    if (!isTurn) return original.apply(this, args)
    const last = args.at(-1)
    if (hasCallback && typeof last === 'function') return original.apply(this, [...args.slice(0, -1), die])
    const result = original.apply(this, args)
    if (!(result instanceof Promise)) die()
    return result instanceof Promise ? result.finally(die) : result
  }
}

function patch(target: object, names: readonly string[], hasCallback = false): void {
  const functions = target as Record<string, Callable | undefined> // By name, as they are patched.
  for (const name of names) {
    const original = functions[name]
    if (original !== undefined) functions[name] = counted(original, hasCallback)
  }
}

async function install(): Promise<void> {
  const some = ['open', 'rename', 'unlink', 'rm', 'link', 'mkdir', 'writeFile', 'readFile', 'copyFile', 'truncate']
  patch(fsPromises, some)
  const handle = await fsPromises.open('/dev/null')
  patch(Object.getPrototypeOf(handle), ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate'])
  await handle.close()
  const sync = ['openSync', 'renameSync', 'unlinkSync', 'rmSync', 'linkSync', 'mkdirSync', 'writeFileSync', 'writeSync']
  patch(fs, [...sync, 'fsyncSync', 'fdatasyncSync', 'ftruncateSync'])
  patch(fs, ['fsync', 'fdatasync', 'write', 'ftruncate'], true)
  syncBuiltinESMExports()
  patch(globalThis, ['fetch'])
  patch(Database.prototype, ['exec', 'pragma'])
  process.on('SIGUSR2', () => {
    count = 0
  })
}

// The children that copy and prove files have no program.
if (isMainThread && Number.isFinite(at) && process.argv[1] !== undefined) await install()
