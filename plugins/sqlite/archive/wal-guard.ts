import type { Native } from '../handle.ts'
import { openReader } from './marks.ts'

/** Keeps the WAL of one file from whoever closes the file last. */
export interface WalGuard {
  /** To be called when there is a file, and again when there is another one in its place. Never throws. */
  guard(): void
  /** To be called before the file is moved. */
  leave(): void
  /** Safe to call twice. */
  release(): void
}

interface Guarded {
  native: Native | null
  users: number
}

const guarded = new Map<string, Guarded>()

/**
 * A connection that cannot write, kept open longer than all others: the last one of a file to close carries the WAL into the
 * main file, and one that cannot write carries nothing.
 */
export function guardWal(file: string): WalGuard {
  const state = guarded.get(file) ?? { native: null, users: 0 }
  guarded.set(file, state)
  state.users += 1
  let isHeld = true
  const leave = (): void => {
    state.native?.close()
    state.native = null
  }
  return {
    guard() {
      if (isHeld) state.native ??= opened(file)
    },
    leave,
    release() {
      if (!isHeld) return
      isHeld = false
      state.users -= 1
      if (state.users > 0) return
      guarded.delete(file)
      leave()
    },
  }
}

/** Null where there is no database yet, or it cannot be read: then the archive finds out that it does not continue. */
function opened(file: string): Native | null {
  try {
    return openReader(file)
  } catch {
    return null
  }
}
