import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cut } from '../../../src/driver/kit/driver-kit.ts'
import { isBusy } from '../faults.ts'
import { type Native, openNative, undo } from '../handle.ts'
import type { Permit, Writer } from '../writer.ts'
import { Carrier } from './carrier.ts'
import { carriedOf, type ReadMark } from './marks.ts'
import { mainText } from './place.ts'

/** What takes over cuts: resolves when they survive a crash of the process and of the machine. */
export type Keep = (rest: readonly Cut[]) => Promise<void>

/** With more frames than this left to carry, a reader is in the way; writers do not wait for it. */
const tailFrames = 1_000
/** How long a foreign writer is waited for while ours wait, too. */
const turnMs = 250

/** What a restart needs. */
export interface RestartGround {
  readonly path: string
  readonly writer: Writer
  readonly limitMs: number
  readonly mark: ReadMark
}

/** What is done on the way. */
export interface RestartParts {
  /** Cuts what there is, while the service writes on; resolves with the frames that were committed meanwhile. */
  cutMost(): Promise<number>
  /** Cuts what is left. Nothing can be committed any more. */
  cutRest(): Promise<void>
  /**
   * The WAL is emptied at once. Otherwise the next writer begins it again, over its old content, which syncs faster than one
   * that grows.
   */
  readonly isEmptied: boolean
}

/** How a restart ended. */
export interface RestartOutcome {
  /** Everything that was cut is in the main file. */
  readonly isCarried: boolean
  /** And nothing else is, and will be until the next restart. */
  readonly isRestarted: boolean
  /** Something was carried that was not cut: another process has committed meanwhile. */
  readonly isForeign: boolean
}

const inTheWay: RestartOutcome = { isCarried: false, isRestarted: false, isForeign: false }

/**
 * Carries the WAL into the main file and empties it, with nothing in between that was not cut. A thread carries nearly all while
 * the service writes on; the rest while no one can write.
 */
export class Restart {
  readonly #ground: RestartGround
  /** Holds the write lock meanwhile: no handle of the service is in a transaction across an `await`. */
  readonly #clerk: Native
  readonly #carrier: Carrier

  /** @throws what the client throws. */
  constructor(ground: RestartGround) {
    this.#ground = ground
    this.#clerk = openNative(ground.path, { mustExist: true })
    this.#clerk.pragma('synchronous = normal')
    this.#clerk.pragma('wal_autocheckpoint = 0')
    this.#carrier = new Carrier(ground.path)
  }

  /** @throws what `cutMost` and `cutRest` throw. */
  async run({ cutMost, cutRest, isEmptied }: RestartParts): Promise<RestartOutcome> {
    const { writer, limitMs } = this.#ground
    // Each time less is left, unless the service writes as fast as this reads: then that is what it has to wait for.
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      if (!(await this.#carriesUpTo(tailFrames))) return inTheWay
      const left = await cutMost()
      if (left <= tailFrames || left > before / 2) break
      before = left
    }
    const permit = await taken(writer, limitMs)
    if (permit === null) return inTheWay
    try {
      if (!(await this.#begin())) return inTheWay
      await cutRest()
      if (!(await this.#carriesUpTo(0))) return inTheWay
      return isEmptied ? this.#empty() : this.#letRestart()
    } finally {
      undo(this.#clerk)
      permit.release()
    }
  }

  /**
   * `mainText` of the main file as it is since the last restart; null where that cannot be told. A file's time has steps of some
   * milliseconds: only one that is older than a step changes with the next write.
   */
  async settledMain(): Promise<string | null> {
    const { path, mark } = this.#ground
    for (let tries = 0; tries < 4; tries += 1) {
      if (!mark.isAtStart) return null
      const found = await stat(path, { bigint: true })
      if (Math.abs(Date.now() - Number(found.mtimeMs)) > stepMs) return mainText(found)
      await sleep(stepMs)
    }
    return null
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    await this.#carrier.end()
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#clerk.open) this.#clerk.close()
    void this.#carrier.end()
  }

  /** Whether all but this many frames are in the main file; false also where another process is about it. */
  async #carriesUpTo(framesLeft: number): Promise<boolean> {
    const { mark } = this.#ground
    try {
      // A mark that moved now would let the WAL begin again, over what is not cut yet.
      if (mark.isCarried()) return true
      mark.renew()
      const { isBusy: isElsewhere, log, carried } = await this.#carrier.carry()
      return !isElsewhere && log - carried <= framesLeft
    } catch (error) {
      if (isBusy(error)) return false
      throw error
    }
  }

  /** False where another process keeps the lock. */
  async #begin(): Promise<boolean> {
    const until = performance.now() + turnMs
    for (;;) {
      try {
        this.#clerk.exec('begin immediate')
        return true
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() > until) return false
      }
      await sleep(5)
    }
  }

  /** While nothing can be committed: what comes next is behind what was cut, in this WAL or in the next one. */
  #letRestart(): RestartOutcome {
    const { mark } = this.#ground
    mark.renew()
    return { isCarried: mark.isAtStart, isRestarted: mark.isAtStart, isForeign: false }
  }

  /** Within one turn of the event loop, so that of this process nothing comes in between. */
  #empty(): RestartOutcome {
    const { mark } = this.#ground
    const before = versionOf(this.#clerk)
    this.#clerk.exec('rollback')
    mark.release()
    let isLeft = true
    let isOurs = false
    try {
      isLeft = carriedOf(this.#clerk.pragma('wal_checkpoint(truncate)')).isBusy
    } finally {
      mark.renew()
      // It changes where another process has committed since.
      isOurs = versionOf(this.#clerk) === before
    }
    return { isCarried: isOurs, isRestarted: isOurs && !isLeft, isForeign: !isOurs && !isLeft }
  }
}

/** Longer than the step of any clock that file systems use. */
const stepMs = 25

async function taken(writer: Writer, limitMs: number): Promise<Permit | null> {
  try {
    return await writer.take('a checkpoint of the archive', limitMs)
  } catch {
    return null
  }
}

function versionOf(native: Native): unknown {
  return native.pragma('data_version', { simple: true })
}
