import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { S3Server } from '../../support/s3-server.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'

/** The kinds of targets that are tried. */
export type ArchiveKind = 's3' | 'folder'

/** Where services archive to, seen from outside. */
export interface ArchivePlace {
  readonly kind: ArchiveKind
  /** The settings that name it. */
  readonly env: Readonly<Record<string, string>>
  /** It does not answer any more; what is on its way fails. */
  away(): Promise<void>
  back(): Promise<void>
  /** The keys of its objects, in order. */
  keys(): Promise<readonly string[]>
  read(key: string): Promise<string>
  write(key: string, text: string): Promise<void>
  remove(key: string): Promise<void>
  /** A hash of each object by its key. */
  contents(): Promise<Readonly<Record<string, string>>>
}

/** A folder as a target. */
export interface FolderPlace extends ArchivePlace {
  readonly folder: string
}

/** A bucket of the tests' own server. */
export interface BucketPlace extends ArchivePlace {
  readonly server: S3Server
}

/** The prefix of archives in the bucket. */
const prefix = 'archive'

/** A place of this kind; ends with `t`. */
export async function makePlace(t: Cleanup, kind: ArchiveKind): Promise<ArchivePlace> {
  return kind === 's3' ? await makeBucketPlace(t) : await makeFolderPlace(t)
}

/** A bucket whose GETs answer with 302, as that of Hugging Face does. */
export async function makeBucketPlace(t: Cleanup): Promise<BucketPlace> {
  const server = await S3Server.start(t)
  return {
    kind: 's3',
    server,
    env: server.env(prefix),
    away: () => server.stop(),
    back: () => server.resume(),
    read: async (key) => Buffer.from(objectOf(server, key)).toString(),
    write: async (key, text) => void server.objects.set(`${prefix}/${key}`, Buffer.from(text)),
    contents: async () => Object.fromEntries([...server.objects].map(([key, body]) => [key, hashOf(body)])),
    remove: async (key) => {
      if (!server.objects.delete(`${prefix}/${key}`)) throw new Error(`There is no ${key}.`)
    },
    keys: async () => [...server.objects.keys()].map((key) => key.slice(prefix.length + 1)).sort(),
  }
}

/** A folder on a volume, which has another name while it is away. */
export async function makeFolderPlace(t: Cleanup): Promise<FolderPlace> {
  const parent = await makeTempDir(t, 'archive')
  // Holdfast makes the folder, but not where it is to be: a volume that is not mounted is away.
  const volume = join(parent, 'volume')
  const folder = join(volume, 'target')
  const gone = join(parent, 'gone')
  await mkdir(folder, { recursive: true })
  const keys = async (): Promise<readonly string[]> => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort()
  }
  return {
    keys,
    read: (key) => readFile(join(folder, key), 'utf8'),
    write: (key, text) => writeFile(join(folder, key), text),
    contents: async () =>
      Object.fromEntries(
        await Promise.all((await keys()).map(async (key) => [key, hashOf(await readFile(join(folder, key)))] as const)),
      ),
    kind: 'folder',
    folder,
    env: { ARCHIVE_URL: String(pathToFileURL(folder)) },
    away: () => rename(volume, gone),
    back: async () => {
      if (existsSync(gone)) await rename(gone, volume)
    },
    remove: (key) => rm(join(folder, key)),
  }
}

function objectOf(server: S3Server, key: string): Uint8Array {
  const found = server.objects.get(`${prefix}/${key}`)
  if (found === undefined) throw new Error(`There is no ${key}.`)
  return found
}

function hashOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
