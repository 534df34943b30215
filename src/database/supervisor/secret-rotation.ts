import type { Fault } from '../../driver/fault.ts'
import { UnusableDeclaration } from '../machine/faults.ts'
import type { State } from '../machine/state.ts'
import type { Clock } from '../store/clock.ts'
import { Recheck } from './recheck.ts'

/** How often the secret files are checked while one of them may be the reason of a pause. */
const checkMs = 1_000

/** What `SecretRotation` works with. */
export interface SecretRotationParts {
  readonly clock: Clock
  state(): State<unknown>
  /** A fingerprint of the secret files. Never rejects. */
  secretsFingerprint(): Promise<string>
  /** Ends the pause of this timer early. */
  endPause(timerId: number): void
}

/**
 * Ends the long pause after a rejected password, or an unusable address, as soon as a secret file changes, so that the new
 * secret is tried at once.
 */
export class SecretRotation {
  readonly #parts: SecretRotationParts
  readonly #recheck: Recheck
  /** The fingerprint of the files as they were last read; null before that. */
  #read: string | null = null

  constructor(parts: SecretRotationParts) {
    this.#parts = parts
    this.#recheck = new Recheck(parts.clock, checkMs, () => this.#check())
  }

  /** Must be called before the files are read. */
  async reading(): Promise<void> {
    this.#read = await this.#parts.secretsFingerprint()
  }

  /** Must be called after each change of state. */
  changed(): void {
    this.#recheck.want(pauseOf(this.#parts.state()) !== null)
  }

  async #check(): Promise<void> {
    const mark = await this.#parts.secretsFingerprint()
    const pause = pauseOf(this.#parts.state())
    if (pause === null || this.#read === null || mark === this.#read) return
    this.#read = mark
    this.#parts.endPause(pause)
  }
}

/** The timer of a pause that a rotated secret may end; null when there is none. */
function pauseOf(state: State<unknown>): number | null {
  if (state.name === 'CONNECTION_ERROR') return isAboutSecrets(state.fault) ? state.retry.id : null
  if (state.name !== 'FALLBACK_CONNECTED' || state.recovery.step !== 'waiting') return null
  return isAboutSecrets(state.recovery.lastFault) ? state.recovery.id : null
}

function isAboutSecrets(fault: Fault | null): boolean {
  return fault?.kind === 'auth' || fault?.cause instanceof UnusableDeclaration
}
