import { randomUUID } from 'node:crypto'
import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  link as systemsLink,
  unlink,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCodeOf } from '../../config/text-file.ts'
import { diskOf, isRemoteFileSystem } from '../../disk/disk.ts'
import { type AttemptTools, attempted, operationLimitMs } from './attempts.ts'
import { folderError } from './folder-fault.ts'
import { folderKeys } from './folder-keys.ts'
import { type ArchiveTarget, fenceKey, type ListedObject, objectMaxBytes, type PutOutcome } from './target.ts'
import { labelOfPlace } from './url.ts'

/** What a folder target is made of. */
export interface FolderOptions extends AttemptTools {
  /** Absolute. It is made when its parent exists: a volume that is not mounted is not replaced by folders of the container. */
  readonly path: string
  /** The name of the file system that a path is on; by default what the system says. */
  readonly fileSystemOf?: (path: string) => Promise<string>
  /** Gives a file a second name, which must be free; by default what the system has. */
  readonly link?: (from: string, to: string) => Promise<void>
}

/** Files that are being written. No key begins with a point. */
const partialFolder = '.partial'
/** What is older was left by a process that was killed. */
const leftoverMs = 24 * 3_600_000
/** Another process may remove an empty folder before the first file is in it. */
const placingTries = 5
const pageMax = 1_000
/** What file systems without hard links answer. */
const noLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])
const fenceBody = new TextEncoder().encode('Holdfast stores this to see whether the folder can fence.\n')

/** Gives a complete file its name. */
type Naming = (partial: string, path: string) => Promise<PutOutcome>

/** A folder: an object is a file, whole and synced before it has its name, which `link` gives to one process only. */
export class FolderTarget implements ArchiveTarget {
  readonly label: string
  readonly #options: FolderOptions
  #isFencing: boolean | null = null
  #isReady = false
  /** Whose own names are synced. */
  readonly #syncedFolders = new Set<string>()

  constructor(options: FolderOptions) {
    this.label = labelOfPlace({ kind: 'folder', path: options.path })
    this.#options = options
  }

  get isFencing(): boolean | null {
    return this.#isFencing
  }

  async putNew(key: string, body: Uint8Array, signal?: AbortSignal): Promise<PutOutcome> {
    return await this.#attempt('store an object', body.length, signal, async () => {
      this.#isFencing ??= await this.#learnFencing()
      return await this.#place(key, body, this.#isFencing ? this.#linkNew : renameOver)
    })
  }

  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#attempt('store an object', body.length, signal, () => this.#place(key, body, renameOver))
  }

  async get(key: string, signal?: AbortSignal): Promise<Uint8Array | null> {
    return await this.#attempt('read an object', objectMaxBytes, signal, async (limited) => {
      const path = join(this.#options.path, key)
      const found = await lstat(path).catch(nullWhereMissing)
      if (found === null) return await this.#checkParent()
      if (!found.isFile() || found.size > objectMaxBytes) return new Uint8Array()
      return await readFile(path, { signal: limited }).catch(nullWhereMissing)
    })
  }

  async *list(prefix: string, after = '', signal?: AbortSignal): AsyncGenerator<readonly ListedObject[]> {
    const keys = await this.#attempt('list the objects', 0, signal, async () => {
      await this.#checkParent()
      return await folderKeys(this.#options.path, prefix, after)
    })
    for (let at = 0; at < keys.length; at += pageMax) {
      const some = keys.slice(at, at + pageMax)
      const page = await this.#attempt('list the objects', 0, signal, () =>
        Promise.all(some.map((key) => this.#look(key))),
      )
      yield page.filter((one) => one !== null)
    }
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    await this.#attempt('remove an object', 0, signal, async () => {
      const path = join(this.#options.path, key)
      await unlink(path).catch(nullWhereMissing)
      // Up to the first that is not empty.
      for (let at = dirname(path); at.length > this.#options.path.length; at = dirname(at)) {
        if (!(await isNowRemoved(at))) break
      }
    })
  }

  async #attempt<T>(
    what: string,
    bytes: number,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const described = async (limited: AbortSignal): Promise<T> => {
      try {
        return await run(limited)
      } catch (error) {
        limited.throwIfAborted()
        throw folderError(what, this.#options.path, error)
      }
    }
    const attempt = { what: `to ${what}`, limitMs: operationLimitMs(bytes), run: described }
    return await attempted(this.#options, attempt, signal)
  }

  /** Before the first file: what is missing later was unmounted, and is not made again. */
  async #prepare(): Promise<void> {
    if (this.#isReady) return
    const { path } = this.#options
    const partial = join(path, partialFolder)
    await mkdir(path, { mode: 0o700 }).then(() => syncFolder(dirname(path)), unlessThere)
    await mkdir(partial, { mode: 0o700 }).catch(unlessThere)
    for (const name of await readdir(partial)) {
      const file = join(partial, name)
      const found = await stat(file).catch(nullWhereMissing)
      if (found !== null && found.mtimeMs < this.#options.clock.wallMs() - leftoverMs) {
        await unlink(file).catch(nullWhereMissing)
      }
    }
    this.#isReady = true
  }

  /** Null. Rejects where not even the folder around the archive's is there. */
  async #checkParent(): Promise<null> {
    await stat(dirname(this.#options.path))
    return null
  }

  async #learnFencing(): Promise<boolean> {
    const { path, fileSystemOf = systemsName } = this.#options
    if (isRemoteFileSystem(await fileSystemOf(path))) return false
    try {
      await this.#place(fenceKey, fenceBody, this.#linkNew)
      return (await this.#place(fenceKey, fenceBody, this.#linkNew)) === 'exists'
    } catch (error) {
      if (isLinkRefusal(error)) return false
      throw error
    }
  }

  async #place(key: string, body: Uint8Array, name: Naming): Promise<PutOutcome> {
    await this.#prepare()
    const { path: root } = this.#options
    const partial = join(root, partialFolder, randomUUID())
    const path = join(root, key)
    try {
      await writeSynced(partial, body)
      for (let tries = 1; ; tries++) {
        try {
          return await this.#name(partial, path, name)
        } catch (error) {
          if (errorCodeOf(error) !== 'ENOENT' || tries === placingTries) throw error
        }
      }
    } finally {
      await unlink(partial).catch(() => undefined)
    }
  }

  async #name(partial: string, path: string, name: Naming): Promise<PutOutcome> {
    const folder = dirname(path)
    const isNew = await makeBelow(this.#options.path, folder)
    const outcome = await name(partial, path)
    // Also where the name was taken: by a process that may not have come to this yet.
    await syncFolder(folder)
    if (isNew || !this.#syncedFolders.has(folder)) await this.#syncParents(folder)
    return outcome
  }

  async #syncParents(folder: string): Promise<void> {
    for (let at = folder; at.length > this.#options.path.length; at = dirname(at)) await syncFolder(dirname(at))
    this.#syncedFolders.add(folder)
  }

  readonly #linkNew: Naming = async (partial, path) => {
    const { link = systemsLink } = this.#options
    try {
      await link(partial, path)
      return 'stored'
    } catch (error) {
      if (errorCodeOf(error) === 'EEXIST') return 'exists'
      throw error
    }
  }

  async #look(key: string): Promise<ListedObject | null> {
    const found = await stat(join(this.#options.path, key)).catch(nullWhereMissing)
    return found === null ? null : { key, bytes: found.size }
  }
}

const renameOver: Naming = async (partial, path) => {
  await rename(partial, path)
  return 'stored'
}

/** Makes the folders of a key; true: at least one was. Not the root: a volume that was just unmounted is not made again. */
async function makeBelow(root: string, folder: string): Promise<boolean> {
  if (folder === root) return false
  const isAboveNew = await makeBelow(root, dirname(folder))
  const isNew = await mkdir(folder, { mode: 0o700 }).then(
    () => true,
    (error: unknown) => {
      unlessThere(error)
      return false
    },
  )
  return isAboveNew || isNew
}

async function writeSynced(path: string, body: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(body)
  await file.sync()
}

/** Until then a name may be lost with the power. Some file systems keep it at once, and refuse. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync().catch((error: unknown) => {
    if (errorCodeOf(error) !== 'EINVAL') throw error
  })
}

async function isNowRemoved(folder: string): Promise<boolean> {
  return await rmdir(folder).then(
    () => true,
    () => false,
  )
}

function isLinkRefusal(error: unknown): boolean {
  const isLink = error instanceof Error && 'syscall' in error && error.syscall === 'link'
  return isLink && noLinks.has(errorCodeOf(error) ?? '')
}

async function systemsName(path: string): Promise<string> {
  return (await diskOf(path, null)).fileSystem
}

function nullWhereMissing(error: unknown): null {
  if (errorCodeOf(error) === 'ENOENT') return null
  throw error
}

function unlessThere(error: unknown): void {
  if (errorCodeOf(error) !== 'EEXIST') throw error
}
