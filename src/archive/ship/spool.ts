import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCodeOf } from '../../config/text-file.ts'
import { makeDirectory, syncFolder } from '../../disk/data-directory.ts'
import { numberText } from '../format/names.ts'

/** The folder next to an archived file: its spool, what its archive knows of it, copies for snapshots and drills. */
export function archiveFolder(file: string): string {
  return `${file}.archive`
}

/** Segments that wait on the disk for the target, as the objects that they will be. */
export class Spool {
  readonly folder: string
  readonly #bytes = new Map<number, number>()

  constructor(folder: string) {
    this.folder = folder
  }

  /** The bytes of all that waits. */
  get bytes(): number {
    return [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  /** Makes the folder and reads which segments an earlier process left; in the order of their numbers. */
  async open(): Promise<readonly number[]> {
    await makeDirectory(this.folder, 0o700)
    this.#bytes.clear()
    for (const name of await readdir(this.folder)) {
      const number = /^(\d{12})\.segment$/.exec(name)?.[1]
      if (number !== undefined) this.#bytes.set(Number(number), (await stat(join(this.folder, name))).size)
      else if (name.endsWith('.new')) await rm(join(this.folder, name), { force: true })
    }
    return [...this.#bytes.keys()].sort((one, other) => one - other)
  }

  /** Writes a segment; it survives a power cut once `sync` has resolved, and is whole or not there. */
  async write(number: number, bytes: Uint8Array): Promise<void> {
    await writeWhole(this.#path(number), bytes)
    this.#bytes.set(number, bytes.byteLength)
  }

  /** Makes the names of what was written survive a power cut. */
  async sync(): Promise<void> {
    await syncFolder(this.folder)
  }

  /** Null: it is not there. */
  async read(number: number): Promise<Uint8Array | null> {
    try {
      return await readFile(this.#path(number))
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return null
      throw error
    }
  }

  /** Removes a segment that is stored, or dropped. */
  async remove(number: number): Promise<void> {
    if (!this.#bytes.has(number)) return
    await rm(this.#path(number), { force: true })
    this.#bytes.delete(number)
  }

  async clear(): Promise<void> {
    for (const number of [...this.#bytes.keys()]) await this.remove(number)
  }

  #path(number: number): string {
    return join(this.folder, `${numberText(number)}.segment`)
  }
}

/** Replaces a file in one step, with its content synced; its folder is not. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.new`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}
