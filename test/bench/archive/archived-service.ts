import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath, newRow } from '../cases.ts'
import { type Contestant, enter, type Place } from '../contestant.ts'

/** A demand as a header. */
export const archivedHeaders: Readonly<Record<string, string>> = { Prefer: 'durability=archived' }

/** A folder that is a target, and the settings that name it. */
export interface ArchiveFolder {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** An empty folder; ends with `t`. */
export async function makeArchiveFolder(t: Cleanup): Promise<ArchiveFolder> {
  const folder = await makeTempDir(t, 'archive')
  return { folder, env: { ARCHIVE_URL: String(pathToFileURL(folder)), ARCHIVE_DRILL: '0' } }
}

/** Starts a service without a primary; waits until it answers with rows, and with an archive until that has a base. */
export async function enterArchived(t: Cleanup, more: Pick<Place, 'cwd' | 'env'> = {}): Promise<Contestant> {
  const one = await enter(t, 'holdfast', undefined, more)
  await untilServing(one)
  if (more.env?.ARCHIVE_URL !== undefined) await untilArchiving(one)
  return one
}

/** Waits until it answers with rows. */
export async function untilServing({ port, running }: Contestant, withinMs: number = 60_000): Promise<void> {
  const look = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}?limit=1`)
    await answer.text()
    return answer.ok
  }
  await until(look, { withinMs, everyMs: 10, what: 'the service to answer' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${running.output()}`)
  })
}

/** Waits until a write is answered from the archive, too. */
export async function untilArchiving({ port, running }: Contestant): Promise<void> {
  const look = async (): Promise<boolean> => {
    const headers = { 'content-type': 'application/json', ...archivedHeaders }
    const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}`, { method: 'POST', headers, body: newRow })
    await answer.text()
    return answer.status === 201
  }
  await until(look, { withinMs: 120_000, everyMs: 50, what: 'the archive' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${running.output()}`)
  })
}

/** How many segments a folder has. */
export function segmentsIn({ folder }: ArchiveFolder): number {
  const segments = join(folder, 'segments')
  return existsSync(segments) ? readdirSync(segments).length : 0
}
