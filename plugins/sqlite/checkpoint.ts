import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

/** How often the WAL is carried into the file while there are commits. */
const intervalMs = 200
/** What a thread may take to end by itself. */
const endMs = 500

/** Runs in the thread. Plain JavaScript as text: so it is the same from sources, compiled and bundled. */
const code = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.client)
const native = new Database(workerData.file, { timeout: 0, fileMustExist: true })
native.pragma('synchronous = full')
parentPort.on('message', (word) => {
  if (word === 'end') {
    native.close()
    parentPort.close()
    return
  }
  try {
    native.pragma('wal_checkpoint(passive)')
  } catch {
    // A foreign lock or a full disk: the WAL keeps what it has, and the next turn tries again.
  }
  parentPort.postMessage('done')
})
parentPort.postMessage('ready')
`

/**
 * Carries the WAL into the file in a thread of its own: a checkpoint's syncs are the last that would stop the event
 * loop. Only where syncs are slow: on a fast disk the thread cost a fifth of the writes and 15 MB. Whenever there is no
 * thread SQLite checkpoints by itself.
 */
export class Checkpointer {
  readonly #file: string
  /** Tells both handles whether SQLite is to checkpoint by itself. */
  readonly #setAutomatic: (isAutomatic: boolean) => void
  #worker: Worker | null = null
  #isRunning = false
  #isEnded = false
  #timer: NodeJS.Timeout | null = null

  constructor(file: string, setAutomatic: (isAutomatic: boolean) => void) {
    this.#file = file
    this.#setAutomatic = setAutomatic
  }

  /** To be called after each commit on a slow disk; cheap. */
  committed(): void {
    if (this.#timer !== null || this.#isEnded) return
    if (this.#worker === null) this.#start()
    this.#timer = setTimeout(this.#turn, intervalMs)
    this.#timer.unref()
  }

  /** Ends the thread; SQLite checkpoints what is left when the file is closed. Safe to call twice. */
  async end(): Promise<void> {
    this.#isEnded = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const worker = this.#worker
    this.#worker = null
    if (worker === null) return
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage('end')
    const late = setTimeout(() => void worker.terminate(), endMs)
    await exited
    clearTimeout(late)
  }

  readonly #turn = (): void => {
    this.#timer = null
    if (this.#worker === null || this.#isRunning || this.#isEnded) return
    this.#isRunning = true
    this.#worker.postMessage('checkpoint')
  }

  #start(): void {
    const client = createRequire(import.meta.url).resolve('better-sqlite3')
    const worker = new Worker(code, {
      eval: true,
      workerData: { client, file: this.#file },
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    })
    worker.unref()
    worker.on('message', (word: unknown) => {
      this.#isRunning = false
      if (word === 'ready' && !this.#isEnded) this.#setAutomatic(false)
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
    this.#setAutomatic(true)
  }
}
