import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Actor, Written } from '../../stage/actor.ts'
import { type ArchiveWorld, archivedDemand } from '../archive-world.ts'
import type { ArchiveKind, BucketPlace, FolderPlace } from '../place.ts'

/** A course of events around an archive with one end that is right, driven by conditions, never by time. */
export interface ArchiveSchedule {
  /** A sentence: what happens, and what must come of it. */
  readonly name: string
  /** Rejects when it ends otherwise. */
  readonly run: (world: ArchiveWorld) => Promise<void>
  /** The targets that it is about. */
  readonly on: readonly ArchiveKind[]
  /** It needs to mount disks. */
  readonly mounts?: true
  /** It needs libfiu. */
  readonly needsFaultyDisk?: true
  /** It takes long: only `npm run faults` has it. */
  readonly isLong?: true
}

/** Both kinds of targets. */
export const anywhere: readonly ArchiveKind[] = ['s3', 'folder']

/** The world's bucket. */
export function bucketOf({ place }: ArchiveWorld): BucketPlace {
  if (!('server' in place)) throw new Error('The place is not a bucket.')
  return place as BucketPlace // Only a bucket has a server.
}

/** The world's folder. */
export function folderOf({ place }: ArchiveWorld): FolderPlace {
  if (!('folder' in place)) throw new Error('The place is not a folder.')
  return place as FolderPlace // Only a folder has one.
}

/** Creates rows that say no more than that they are in the file; their notes do not compress well. */
export async function createRows(actor: Actor, count: number, noteSize: number = 100): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const { write } = await actor.create({ note: randomBytes(noteSize / 2).toString('hex') })
    assert.equal(write.ending, 'acknowledged', `a row was answered ${write.said}`)
  }
}

/** Rows of ten thousand characters that do not compress well. */
const largeRows = `
  with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?)
  insert into item (id, token, note, "createdAt", "updatedAt", version)
  select printf('019f0000-0000-7000-8000-') || lower(hex(randomblob(6))), ?, hex(randomblob(5000)),
    1790000000000, 1790000000000, 1 from numbers`

/** A transaction of 20 MB, which is more than a segment, and makes a snapshot due. */
export async function createLarge(actor: Actor): Promise<void> {
  const rows = 2_000
  const { write } = await actor.run((token) => [{ do: 'sql', sql: largeRows, values: [rows, token] }], { rows })
  assert.equal(write.ending, 'acknowledged', `a transaction was answered ${write.said}`)
}

/** A row that is in the archive, and everything that was answered before it. */
export async function createArchived(actor: Actor): Promise<Written> {
  const created = await actor.create({}, archivedDemand)
  assert.deepEqual([created.code, created.durability], [null, 'archived'])
  return created
}

/** A demand that cannot be met is refused before anything is written, and everything else is answered. */
export async function assertServesWithout(actor: Actor): Promise<void> {
  const { code } = await actor.create({}, archivedDemand)
  assert.ok(code === 'DURABILITY_UNMET' || code === 'ARCHIVE_UNCONFIRMED', `a demand was answered ${code}`)
  const plain = await actor.create()
  assert.deepEqual([plain.code, plain.durability], [null, 'local-ephemeral'])
}

/** Waits until health warns, and the problem is in the status. */
export async function warns(actor: Actor, code: string, withinMs: number = 20_000): Promise<void> {
  await actor.hasProblem(code, true, withinMs)
  const health = await actor.send('GET', '/health')
  assert.equal(health.body?.status, 'warn', JSON.stringify(health.body))
}

/** A number of the exposition of its metrics, its labels left out; null: there is none. */
export async function metricOf(actor: Actor, name: string): Promise<number | null> {
  const text = await (await actor.service.fetch('/metrics')).text()
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
  return found === undefined ? null : Number(found)
}
