import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type FileProof,
  type FileRebuild,
  faultError,
  makeDirectory,
  syncFolder,
} from '../../../src/driver/kit/driver-kit.ts'
import { companionsOf } from '../proof/inspect.ts'
import { setAside, sizeOf } from '../proof/prepare-file.ts'
import { proveFile } from './child.ts'
import { decodePages, isPageSize } from './pages.ts'
import { mainText } from './place.ts'

/** The main files that this process has rebuilt, as they were put in place. */
const rebuilt = new Map<string, string>()

/** `mainText` of a file that this process has rebuilt; null: it has not. */
export function rebuiltMain(path: string): string | null {
  return rebuilt.get(path) ?? null
}

/** Begins to rebuild a file under a name of its own. @throws FaultError where `path` has a file; what the system throws. */
export async function beginRebuild(path: string): Promise<FileRebuild> {
  await assertFree(path)
  await makeDirectory(dirname(path), 0o755)
  const temporary = `${path}.rebuilding`
  // What a killed process left.
  await removeAll(temporary)
  return new PageRebuild(path, temporary, await open(temporary, 'wx+', 0o600))
}

async function assertFree(path: string): Promise<void> {
  if ((await sizeOf(path)) === 0) return
  const hint = 'Move it away, or restore to another folder.'
  throw faultError('configuration', 'SQLITE_FILE_EXISTS', 'A file is in the place of the one to restore.', hint)
}

async function removeAll(path: string): Promise<void> {
  for (const each of companionsOf(path)) await rm(each, { force: true })
}

class PageRebuild implements FileRebuild {
  readonly #path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  #bytes = 0
  #pageSize: number | null = null
  /** What was applied last ends a transaction. */
  #isWhole = true
  #isClosed = false

  constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#put(bytes, this.#bytes)
    this.#bytes += bytes.length
  }

  async apply(payload: Uint8Array): Promise<void> {
    const { pageSize, pages, runs } = decodePages(payload)
    this.#pageSize ??= await this.#readPageSize(pageSize)
    if (pageSize !== this.#pageSize) throw new Error(`Pages of ${pageSize} bytes for a file of ${this.#pageSize}.`)
    for (const { at, bytes } of runs) await this.#put(bytes, at)
    this.#isWhole = pages > 0
    if (this.#isWhole) await this.#handle.truncate(pages * pageSize)
  }

  async finish(signal: AbortSignal = new AbortController().signal): Promise<FileProof> {
    if (!this.#isWhole) throw damageError('it ends within a transaction')
    await this.#handle.sync()
    await this.#close()
    const proof = await proveFile(this.#temporary, signal)
    const [damage] = proof.damage
    if (damage !== undefined) throw damageError(damage)
    await assertFree(this.#path)
    // A WAL of another life would be replayed into it.
    for (const path of companionsOf(this.#path)) {
      if ((await lstat(path).catch(() => null)) === null) continue
      await setAside(this.#path)
      break
    }
    await rename(this.#temporary, this.#path)
    await syncFolder(dirname(this.#path))
    rebuilt.set(this.#path, mainText(await lstat(this.#path, { bigint: true })))
    return proof
  }

  async abandon(): Promise<void> {
    await this.#close()
    await removeAll(this.#temporary)
  }

  async #put(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
  }

  /** Of the snapshot; of the first pages where there is none. */
  async #readPageSize(given: number): Promise<number> {
    if (this.#bytes === 0) return given
    const { buffer } = await this.#handle.read(Buffer.alloc(2), 0, 2, pageSizeAt)
    const size = buffer.readUInt16BE(0)
    const read = size === 1 ? 65_536 : size
    if (!isPageSize(read)) throw new Error('The snapshot is not an SQLite database.')
    return read
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#handle.close()
  }
}

/** Where the header of a database has its page size. */
const pageSizeAt = 16

function damageError(why: string): Error {
  const summary = 'The restored SQLite file is damaged; it was not put in place.'
  const hint = 'Holdfast tries an older snapshot; see the cause in the log.'
  return faultError('corrupt', 'SQLITE_CORRUPT', summary, hint, { cause: new Error(why) })
}
