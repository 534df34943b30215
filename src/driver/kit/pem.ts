import { open } from 'node:fs/promises'
import { faultError } from './read-error.ts'

/** Larger than any certificate or key. */
const fileLimitBytes = 1024 * 1024

/**
 * The PEM text that a setting or a parameter gives: itself, or that of the file which it names, of which no more is read
 * than any certificate has. Null for null.
 *
 * @throws FaultError of kind `tls` with `code`, naming `part`, when the file cannot be read.
 */
export async function readPem(part: string, given: string | null, code: string): Promise<string | null> {
  if (given === null) return null
  // Where a variable cannot hold lines, they are often written as "\n".
  if (given.trimStart().startsWith('-----BEGIN')) return given.replaceAll('\\n', '\n')
  try {
    return await readBounded(given)
  } catch (cause) {
    const summary = `The file that ${part} names cannot be read.`
    throw faultError('tls', code, summary, 'Name a readable file with PEM text.', { cause })
  }
}

/** By portions: a device or a pipe tells no size. */
async function readBounded(path: string): Promise<string> {
  await using file = await open(path)
  const parts: Buffer[] = []
  let length = 0
  for await (const part of file.createReadStream({ autoClose: false })) {
    length += part.length
    if (length > fileLimitBytes) throw new Error('The file is larger than any certificate.')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
