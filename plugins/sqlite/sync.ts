import { close, fdatasync, fdatasyncSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type FaultError, faultError, syncFolder } from '../../src/driver/kit/driver-kit.ts'

type Done = (error: FaultError | null) => void

/** What makes a commit durable before it is answered. */
export interface Sync {
  /** Why no further write may be answered; null while all is well. */
  readonly failure: FaultError | null
  /**
   * Calls `done` once everything committed before this call is on the disk; null: at once, there is nothing to wait for.
   * `isAlone`: no other write is waiting, so the sync may block the event loop where the disk is fast.
   */
  readonly after: ((done: Done, isAlone?: boolean) => void) | null
  /** Frees the descriptor. Safe to call twice. */
  close(): void
}

/**
 * While syncs take less than this, that of a lone write blocks the event loop: a thread would take half as long again. A disk
 * that hangs blocks it once; the syncs after that are asynchronous until the mean is low again.
 */
const fastMs = 1

/** From here on the syncs of a checkpoint are worth a thread; below, a thread costs more than it saves. */
const slowMs = 3

/** `synchronous=FULL`: SQLite has synced when COMMIT returns. */
export class FullSync implements Sync {
  readonly after = null
  readonly #presence: Presence

  constructor(file: string) {
    this.#presence = new Presence(file)
  }

  get failure(): FaultError | null {
    return this.#presence.failure
  }

  close(): void {}
}

/**
 * `synchronous=NORMAL` and an asynchronous `fdatasync` of the `-wal` file: the same promise as FULL with the event loop
 * free. One sync runs at a time; the next covers all that committed meanwhile. On a fast disk the sync of a lone write is
 * synchronous.
 */
export class WalSync implements Sync {
  readonly #path: string
  /** Opened after the first commit: before it there is no file. Our own descriptor, so closing it drops none of SQLite's locks. */
  #descriptor: number | null = null
  #waiting: Done[] = []
  #isRunning = false
  #isClosed = false
  /** For what was committed, whose outcome is open. */
  #failure: FaultError | null = null
  /** For what comes after it, of which nothing is written. */
  #refusal: FaultError | null = null
  readonly #presence: Presence
  readonly #synced: (isSlow: boolean) => void
  /** What a sync took of late, a moving mean. */
  #meanMs = fastMs

  /** `synced` is called after each sync; `isSlow` while they take long of late. */
  constructor(file: string, synced: (isSlow: boolean) => void) {
    this.#path = `${file}-wal`
    this.#presence = new Presence(file)
    this.#synced = synced
  }

  get failure(): FaultError | null {
    return this.#refusal ?? this.#presence.failure
  }

  readonly after = (done: Done, isAlone: boolean = false): void => {
    if (this.#failure !== null) {
      done(this.#failure)
      return
    }
    if (isAlone && this.#meanMs < fastMs && !this.#isRunning && this.#descriptor !== null) {
      this.#syncBlocking(this.#descriptor, done)
      return
    }
    this.#waiting.push(done)
    if (!this.#isRunning) this.#start()
  }

  close(): void {
    this.#isClosed = true
    if (!this.#isRunning) this.#closeDescriptor()
  }

  #start(): void {
    const batch = this.#waiting
    this.#waiting = []
    const isFirst = this.#descriptor === null
    let descriptor: number
    try {
      descriptor = this.#descriptor ?? openSync(this.#path, 'r+')
    } catch (error) {
      this.#end(batch, error)
      return
    }
    this.#descriptor = descriptor
    this.#isRunning = true
    const sync = (): void => fdatasync(descriptor, this.#ender(batch, performance.now()))
    // The WAL was made by SQLite with the first commit: its name in the folder must survive a power cut, too.
    if (isFirst) void syncFolder(dirname(this.#path)).then(sync)
    else sync()
  }

  #syncBlocking(descriptor: number, done: Done): void {
    const startedAt = performance.now()
    let failure: unknown = null
    try {
      fdatasyncSync(descriptor)
    } catch (error) {
      failure = error
    }
    this.#measure(startedAt)
    this.#end([done], failure)
  }

  #measure(startedAt: number): void {
    this.#meanMs += (performance.now() - startedAt - this.#meanMs) * 0.05
    this.#synced(this.#meanMs > slowMs)
  }

  #ender(batch: readonly Done[], startedAt: number): (error: NodeJS.ErrnoException | null) => void {
    return (error) => {
      this.#isRunning = false
      this.#measure(startedAt)
      this.#end(batch, error)
      if (this.#isClosed && !this.#isRunning) this.#closeDescriptor()
    }
  }

  #end(batch: readonly Done[], error: unknown): void {
    // After a failed fsync the kernel may have dropped the pages and report success for the next one: only reopening the file shows it.
    if (error !== null) {
      const summary = 'The disk could not confirm the last writes.'
      const hint = 'Holdfast reopens and checks the file; check the system log for disk errors.'
      this.#failure = faultError('unwritable', 'SQLITE_SYNC_FAILED', summary, hint, { cause: error, ambiguous: true })
      this.#refusal = faultError('unwritable', 'SQLITE_SYNC_FAILED', summary, hint, { cause: error })
    }
    if (this.#waiting.length > 0 && this.#failure === null) this.#start()
    for (const done of batch) done(this.#failure)
    if (this.#failure === null) return
    for (const done of this.#waiting.splice(0)) done(this.#failure)
  }

  #closeDescriptor(): void {
    if (this.#descriptor === null) return
    close(this.#descriptor, () => {})
    this.#descriptor = null
  }
}

/** Looking costs a few microseconds; this often it costs nothing. */
const everyMs = 100

/**
 * Whether the open file is still the one at its path. SQLite goes on writing into a file that was removed or replaced,
 * and what it acknowledges then is gone with the last descriptor.
 */
class Presence {
  readonly #path: string
  readonly #opened: string | null
  #lookedAt = performance.now()
  #failure: FaultError | null = null

  /** To be made right after the file was opened. */
  constructor(path: string) {
    this.#path = path
    this.#opened = identityOf(path)
  }

  /** Why no further write may be taken; null while the file is there. What was seen up to 100 ms ago counts. */
  get failure(): FaultError | null {
    const now = performance.now()
    if (this.#failure !== null || now - this.#lookedAt < everyMs) return this.#failure
    this.#lookedAt = now
    if (identityOf(this.#path) !== this.#opened) {
      this.#failure = faultError(
        'lost',
        'SQLITE_FILE_GONE',
        'The file of the database was removed or replaced while it was open.',
        'Holdfast reopens it; restore the file, with its "-wal", while the service is stopped.',
      )
    }
    return this.#failure
  }
}

/** Null when there is nothing, or nothing that can be seen. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path)
    return `${dev}:${ino}`
  } catch {
    return null
  }
}
