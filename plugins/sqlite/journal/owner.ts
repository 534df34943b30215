import { FaultError, faultError, fileSharedCode } from '../../../src/driver/kit/driver-kit.ts'
import { isBusy } from '../faults.ts'
import { type Native, openNative } from '../handle.ts'

interface Held {
  readonly native: Native
  users: number
}

/** By file: the lock that this process holds. SQLite's locks do not part the users within a process. */
const held = new Map<string, Held>()

/** The file whose lock says which process has a file that journals, or archives it. */
export function ownerFile(file: string): string {
  return `${file}.owner`
}

/**
 * Makes this process the one that has a file, until each user has called what is returned (which may be called
 * twice) or the process is gone. What is journaled, and whether changes are accepted, is known in memory only.
 *
 * @throws FaultError `FILE_SHARED` when another process has it; what the client throws.
 */
export function holdFile(file: string, summary = 'Another process uses the file of the fallback.'): () => void {
  const lock = held.get(file) ?? { native: lockFile(file, summary), users: 0 }
  held.set(file, lock)
  lock.users += 1
  let isIn = true
  return () => {
    if (!isIn) return
    isIn = false
    lock.users -= 1
    if (lock.users > 0) return
    held.delete(file)
    lock.native.close()
  }
}

/** Whether another process has the file. */
export function isShared(error: unknown): boolean {
  return error instanceof FaultError && error.fault.code === fileSharedCode
}

function lockFile(file: string, summary: string): Native {
  const native = openNative(ownerFile(file))
  try {
    // Nothing is written: a journal of its own would only be left over.
    native.pragma('journal_mode = memory')
    native.exec('begin exclusive')
    return native
  } catch (cause) {
    native.close()
    if (!isBusy(cause)) throw cause
    const hint = 'Give each process its own DATA_DIR, or stop the other one. Holdfast tries again by itself.'
    throw faultError('transient', fileSharedCode, summary, hint, { cause })
  }
}
