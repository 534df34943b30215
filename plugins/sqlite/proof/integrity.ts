import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { faultError } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import type { Native } from '../handle.ts'

/** From here on a check takes so long that it is done in a thread: about 20 ms, or the disk's time when nothing is cached. */
const largeBytes = 32 * 1024 * 1024

/** What a check found: SQLite's answer, `ok` or the first error, or what it threw. */
type Found = { readonly answer: unknown } | { readonly code: string; readonly message: string }

interface Check {
  readonly identity: string
  readonly worker: Worker
  readonly found: Promise<Found>
  /** A check that a caller waits for keeps the process alive; one without a caller does not. */
  waiting: number
}

/**
 * By file: the checks that run, and those that ended after their caller had gone. A file that takes longer to read than
 * an attempt to open it may last would otherwise never be opened.
 */
const checks = new Map<string, Check>()

/**
 * Checks the whole file that is open in `native`: a damaged file may still accept an INSERT.
 * A large one is read in a thread, which a later call joins when this one is aborted.
 *
 * @throws FaultError `SQLITE_CORRUPT`; the signal's reason; what the client throws.
 */
export async function assertWhole(native: Native, limitMs: number, signal: AbortSignal): Promise<void> {
  const bytes = await whileBusy(() => pragma(native, 'page_count') * pragma(native, 'page_size'), limitMs, signal)
  const answer =
    bytes < largeBytes
      ? await whileBusy(() => native.pragma('quick_check(1)', { simple: true }), limitMs, signal)
      : await checkAside(native.name, signal)
  if (answer === 'ok') return
  throw faultError(
    'corrupt',
    'SQLITE_CORRUPT',
    'The SQLite file is damaged: its check found an error.',
    'Restore it from a backup, or move it away so that Holdfast creates a new one.',
    { cause: new Error(String(answer)) },
  )
}

function pragma(native: Native, name: string): number {
  return Number(native.pragma(name, { simple: true }))
}

async function checkAside(file: string, signal: AbortSignal): Promise<unknown> {
  const identity = identityOf(file)
  const known = checks.get(file)
  const check = known?.identity === identity ? known : startCheck(file, identity)
  checks.set(file, check)
  const found = await awaited(check, signal)
  if (checks.get(file) === check) checks.delete(file)
  if ('answer' in found) return found.answer
  throw Object.assign(new Error(found.message), { code: found.code })
}

/** Another file, or other content, at the same path is checked again. */
function identityOf(file: string): string {
  const { dev, ino, size, mtimeMs } = statSync(file)
  return [dev, ino, size, mtimeMs].join(':')
}

/** What the check found; or rejects with the signal's reason, and the check goes on by itself. */
async function awaited(check: Check, signal: AbortSignal): Promise<Found> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  check.waiting += 1
  check.worker.ref()
  try {
    return await Promise.race([check.found, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    check.waiting -= 1
    if (check.waiting === 0) check.worker.unref()
  }
}

/** Runs in the thread, as text for the same reason as in checkpoint.ts. Read only: it never ends the WAL as the last user. */
const code = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.client)
let found
try {
  const native = new Database(workerData.file, { readonly: true, fileMustExist: true, timeout: 1000 })
  try {
    found = { answer: native.pragma('quick_check(1)', { simple: true }) }
  } finally {
    native.close()
  }
} catch (error) {
  found = { code: String(error.code), message: String(error.message) }
}
parentPort.postMessage(found)
`

function startCheck(file: string, identity: string): Check {
  const client = createRequire(import.meta.url).resolve('better-sqlite3')
  // Without our arguments: `--input-type=module` would make a module of the text.
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: { client, file } })
  const found = new Promise<Found>((resolve) => {
    // The thread's text posts nothing else.
    worker.on('message', (message: Found) => resolve(message))
    worker.on('error', (error: Error) => resolve({ code: 'SQLITE_NOMEM', message: error.message }))
    worker.on('exit', () => resolve({ code: 'SQLITE_INTERRUPT', message: 'The check of the file was ended.' }))
  })
  return { identity, worker, found, waiting: 0 }
}
