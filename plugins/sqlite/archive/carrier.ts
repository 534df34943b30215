import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { type Carried, carriedOf } from './marks.ts'
import { guardWal } from './wal-guard.ts'

/** Runs in the thread. Plain JavaScript as text, as in checkpoint.ts. */
const code = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.client)
const native = new Database(workerData.file, { timeout: 0, fileMustExist: true })
native.pragma('synchronous = full')
native.pragma('wal_autocheckpoint = 0')
parentPort.on('message', (word) => {
  if (word === 'end') {
    native.close()
    parentPort.close()
    return
  }
  try {
    parentPort.postMessage({ answer: native.pragma('wal_checkpoint(passive)') })
  } catch (error) {
    parentPort.postMessage({ code: String(error.code), message: String(error.message) })
  }
})
`

/** The limit of one run; one that takes longer hangs. */
const runMs = 10_000
/** How long the thread may take to end by itself. */
const endMs = 500

type Message = { readonly answer: unknown } | { readonly code: string; readonly message: string }

/** Carries the WAL into the main file as far as readers let it, in a thread of its own: its syncs would stop the event loop. */
export class Carrier {
  readonly #file: string
  #worker: Worker | null = null

  constructor(file: string) {
    this.#file = file
  }

  /** One run at a time. @throws what the client throws; an error where the thread has ended, or takes too long. */
  async carry(): Promise<Carried> {
    const worker = this.#worker ?? this.#start()
    const { promise, resolve, reject } = Promise.withResolvers<Message>()
    const limit = setTimeout(() => reject(endedError('takes too long')), runMs)
    const ended = (): void => reject(endedError('has ended'))
    worker.once('message', resolve).once('error', reject).once('exit', ended)
    // While it is waited for, the process does not end.
    worker.ref()
    worker.postMessage('carry')
    try {
      const message = await promise
      worker.unref()
      if ('answer' in message) return carriedOf(message.answer)
      throw Object.assign(new Error(message.message), { code: message.code })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) this.#lose(worker)
      throw error
    } finally {
      clearTimeout(limit)
      worker.off('message', resolve).off('error', reject).off('exit', ended)
    }
  }

  /** Ends the thread. Safe to call twice. */
  async end(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    if (worker === null) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = setTimeout(() => void worker.terminate(), endMs)
    // A thread that hangs in the disk cannot be ended at all.
    const tooLate = setTimeout(resolve, 2 * endMs)
    worker.once('exit', () => resolve())
    worker.postMessage('end')
    await promise
    clearTimeout(late)
    clearTimeout(tooLate)
  }

  #start(): Worker {
    const client = createRequire(import.meta.url).resolve('better-sqlite3')
    const worker = new Worker(code, {
      eval: true,
      // `--input-type=module` among our own would make a module of the text.
      execArgv: [],
      workerData: { client, file: this.#file },
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    })
    worker.unref()
    // Who waits for a run hears of it; without one nothing is lost.
    worker.on('error', () => {})
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null
    })
    // Its connection can write, and may be the last to close.
    const guard = guardWal(this.#file)
    guard.guard()
    worker.once('exit', () => guard.release())
    this.#worker = worker
    return worker
  }

  #lose(worker: Worker): void {
    if (this.#worker === worker) this.#worker = null
    void worker.terminate()
  }
}

function endedError(what: string): Error {
  return new Error(`The thread that carries the WAL into the SQLite file ${what}.`)
}
