import type { Fault } from '../../driver/driver.ts'
import { UnusableDeclaration } from '../machine/fault-of.ts'
import type { State } from '../machine/state.ts'
import type { Clock } from '../store/clock.ts'
import { Recheck, rotationMs } from './recheck.ts'

/**
 * Ends the long pause after a refused password, or after an address that cannot be used, as soon as a secret file has
 * changed: what is in it is tried at once.
 */
export class Rotation {
  readonly #files: { secretsMark(): Promise<string> }
  readonly #watched: { readonly state: State<unknown> }
  readonly #tell: (timerId: number) => void
  readonly #recheck: Recheck
  /** Of the files as they were last read; null before that. */
  #read: string | null = null

  /** `tell`: the pause of this timer is over before its time. */
  constructor(
    clock: Clock,
    files: { secretsMark(): Promise<string> },
    watched: { readonly state: State<unknown> },
    tell: (timerId: number) => void,
  ) {
    this.#files = files
    this.#watched = watched
    this.#tell = tell
    this.#recheck = new Recheck(clock, rotationMs, () => this.#look())
  }

  /** To be called before the files are read. */
  async reading(): Promise<void> {
    this.#read = await this.#files.secretsMark()
  }

  /** To be called after each change of state. */
  changed(): void {
    this.#recheck.want(pauseOf(this.#watched.state) !== null)
  }

  async #look(): Promise<void> {
    const mark = await this.#files.secretsMark()
    const pause = pauseOf(this.#watched.state)
    if (pause === null || this.#read === null || mark === this.#read) return
    this.#read = mark
    this.#tell(pause)
  }
}

/** The timer of a pause that a rotated secret may end; null when nothing waits for one. */
function pauseOf(state: State<unknown>): number | null {
  if (state.name === 'CONNECTION_ERROR') return isAboutSecrets(state.fault) ? state.retry.id : null
  if (state.name !== 'FALLBACK_CONNECTED' || state.recovery.step !== 'waiting') return null
  return isAboutSecrets(state.recovery.lastFault) ? state.recovery.id : null
}

function isAboutSecrets(fault: Fault | null): boolean {
  return fault?.kind === 'auth' || fault?.cause instanceof UnusableDeclaration
}
