import { statSync } from 'node:fs'
import { type FaultError, faultError } from '../../src/driver/kit/driver-kit.ts'

/** Looking costs a few microseconds; this often it costs nothing. */
const everyMs = 100

/**
 * Whether the open file is still the one at its path. SQLite goes on writing into a file that was removed or replaced,
 * and what it acknowledges then is gone with the last descriptor.
 */
export class Presence {
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
        'It is opened anew; bring the file back, with its "-wal", while the service is stopped.',
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
