import { FormatError } from '../format/format-error.ts'
import type { ArchiveTarget } from '../target/target.ts'

/**
 * Reads an object that is verified by `read`; null: it is not there. One that turns out to be damaged is fetched once more: it may have been altered on its
 * way. Rejects with that FormatError, or with what the target rejects with.
 */
export async function readObject<T>(
  target: ArchiveTarget,
  key: string,
  signal: AbortSignal,
  read: (bytes: Uint8Array) => T | Promise<T>,
): Promise<T | null> {
  const bytes = await target.get(key, signal)
  if (bytes === null) return null
  try {
    return await read(bytes)
  } catch (error) {
    if (!isDamage(error)) throw error
    const again = await target.get(key, signal)
    return again === null ? null : await read(again)
  }
}

/** Whether an error says that an object is not what it was when it was stored. */
export function isDamage(error: unknown): error is FormatError {
  return error instanceof FormatError && error.fault === 'damaged'
}
