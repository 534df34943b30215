import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

/** How often the WAL is carried into the file while there are commits. */
const intervalMs = 200
/** How long a thread may take to end by itself, and then to be terminated. */
const endMs = 500
/** The limit of one checkpoint; one that takes longer hangs. */
const runMs = 30_000
/**
 * From this many pages on, a checkpoint blocks writers until it is done. Otherwise the WAL of a service that never stops
 * writing grows for ever: it restarts only at a moment when all of it has been carried.
 */
const longPages = 4_000
/** How long the thread waits for a moment without a writer; here SQLite's own waiting blocks no event loop. */
const turnMs = 100

/** Runs in the thread. Plain JavaScript as text: so it is the same from sources, compiled and bundled. */
const code = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.client)
const native = new Database(workerData.file, { timeout: workerData.turnMs, fileMustExist: true })
native.pragma('synchronous = full')
parentPort.on('message', (word) => {
  if (word === 'end') {
    native.close()
    parentPort.close()
    return
  }
  try {
    const [{ log }] = native.pragma('wal_checkpoint(passive)')
    if (log > workerData.longPages) native.pragma('wal_checkpoint(restart)')
  } catch {
    // A foreign lock or a full disk: the WAL keeps what it has, and the next turn tries again.
  }
  parentPort.postMessage('done')
})
parentPort.postMessage('ready')
`

/**
 * Carries the WAL into the file in a thread of its own: a checkpoint's syncs are the last that would stop the event
 * loop. Only where syncs are slow, or a primary is copied for the first time: on a fast disk the thread cost a fifth of the
 * writes and 15 MB, but without it the copy stopped the event loop for up to 40 ms. Whenever there is no thread SQLite
 * checkpoints by itself.
 */
export class Checkpointer {
  readonly #file: string
  /** Sets on both handles whether SQLite checkpoints by itself. */
  readonly #setAutomatic: (isAutomatic: boolean) => void
  readonly #code: string
  readonly #runMs: number
  #worker: Worker | null = null
  /** Falls when the run at hand takes too long; null when there is none. */
  #limit: NodeJS.Timeout | null = null
  #isEnded = false
  #timer: NodeJS.Timeout | null = null

  /** `options` are for tests: another thread's text, another limit of a run. */
  constructor(
    file: string,
    setAutomatic: (isAutomatic: boolean) => void,
    options: { readonly code?: string; readonly runMs?: number } = {},
  ) {
    this.#file = file
    this.#setAutomatic = setAutomatic
    this.#code = options.code ?? code
    this.#runMs = options.runMs ?? runMs
  }

  /**
   * To be called after each sync, and after commits that nothing syncs; cheap. `isWorthIt` starts the thread: syncs are slow,
   * or very much is written. From then on it is the only one that carries the WAL, so it is to hear of all others, too.
   */
  committed(isWorthIt: boolean): void {
    if (this.#timer !== null || this.#isEnded) return
    if (this.#worker === null) {
      if (!isWorthIt) return
      this.#start()
    }
    this.#timer = setTimeout(this.#turn, intervalMs)
    this.#timer.unref()
  }

  /** Ends the thread; SQLite checkpoints what is left when the file is closed. Safe to call twice. */
  async end(): Promise<void> {
    this.#isEnded = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#answered()
    const worker = this.#worker
    this.#worker = null
    if (worker === null) return
    await new Promise<void>((resolve) => {
      // A thread that hangs in the disk cannot be ended at all: the file is closed without it.
      const tooLate = setTimeout(resolve, 2 * endMs)
      const late = setTimeout(() => void worker.terminate(), endMs)
      worker.once('exit', () => {
        clearTimeout(late)
        clearTimeout(tooLate)
        resolve()
      })
      worker.postMessage('end')
    })
  }

  readonly #turn = (): void => {
    this.#timer = null
    const worker = this.#worker
    if (worker === null || this.#limit !== null || this.#isEnded) return
    this.#limit = setTimeout(() => {
      this.#lose(worker)
      void worker.terminate()
    }, this.#runMs)
    this.#limit.unref()
    worker.postMessage('checkpoint')
  }

  #answered(): void {
    if (this.#limit !== null) clearTimeout(this.#limit)
    this.#limit = null
  }

  #start(): void {
    const client = createRequire(import.meta.url).resolve('better-sqlite3')
    const worker = new Worker(this.#code, {
      eval: true,
      // `--input-type=module` among our own would make a module of the text.
      execArgv: [],
      workerData: { client, file: this.#file, longPages, turnMs },
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    })
    worker.unref()
    worker.on('message', (word: unknown) => {
      if (word === 'done') this.#answered()
      else if (!this.#isEnded) this.#setAutomatic(false)
    })
    worker.on('error', () => this.#lose(worker))
    worker.on('exit', () => this.#lose(worker))
    this.#worker = worker
  }

  /** Not started again: whatever ended it would end the next. */
  #lose(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = null
    this.#isEnded = true
    this.#answered()
    this.#setAutomatic(true)
  }
}
