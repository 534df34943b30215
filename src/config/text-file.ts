import { constants, type Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'

/** The text of a file, or why there is none. `isMissing`: the file does not exist. */
export type TextFile = { readonly text: string } | { readonly reason: string; readonly isMissing: boolean }

/** Reads a whole UTF-8 file of at most `limitBytes`, without its byte order mark. Never throws, never blocks on a pipe or a device. */
export async function readTextFile(path: string, limitBytes: number): Promise<TextFile> {
  try {
    // Checked before opening, because opening a device can already have an effect.
    const refused = unusableKind(await stat(path))
    if (refused !== null) return refused
    // The file may have been replaced since: opening a pipe would wait for its writer.
    await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const replaced = unusableKind(await file.stat())
    if (replaced !== null) return replaced
    const content = await readBounded(file, limitBytes)
    if (content === null) return unusable(`is larger than ${limitBytes} bytes`)
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content) }
  } catch (error) {
    return failure(error)
  }
}

/** Null when there is more than `limitBytes`. The size from `stat` is not trusted: files in /proc report 0. */
async function readBounded(file: FileHandle, limitBytes: number): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(limitBytes + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null)
    if (bytesRead === 0) return buffer.subarray(0, length)
    length += bytesRead
  }
  return null
}

function unusableKind(found: Stats): TextFile | null {
  if (found.isDirectory()) return unusable('is a directory')
  return found.isFile() ? null : unusable('is not a regular file')
}

function unusable(reason: string): TextFile {
  return { reason, isMissing: false }
}

function failure(error: unknown): TextFile {
  const code = errorCodeOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return { reason: 'does not exist', isMissing: true }
  if (code === 'EACCES' || code === 'EPERM') return unusable('is not readable by this user')
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return unusable('is not UTF-8 text')
  return unusable(code === null ? 'cannot be read' : `cannot be read (${code})`)
}

/** Node's code of an error (`ENOENT`), or null. Total. */
export function errorCodeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
