import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { repository } from '../../support/process.ts'
import type { Cleanup, Files } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type Contestant, enter } from '../contestant.ts'
import { withCleanup } from '../options.ts'
import type { BenchServer, ServerKind } from './kind.ts'

/** Holdfast next to a server, with a reader of its fallback's file. */
export interface CopiedService extends Contestant {
  /** Opens the file to read only; to be called when the fallback is there. */
  file(): Database.Database
}

/** A name for each collection; the first is that of all benchmarks. */
export const collectionNames = ['feedback', 'notes', 'remarks'] as const

/** The declarations of the other collections, of the same form. */
export function filesOf(tables: readonly string[]): Files {
  const text = readFileSync(join(repository, 'config/collections/feedback.json'), 'utf8')
  const { rateLimit: _, access, ...rest } = JSON.parse(text)
  return Object.fromEntries(
    tables
      .filter((name) => name !== collectionNames[0])
      .map((name) => [`config/collections/${name}.json`, JSON.stringify({ ...rest, name, access })]),
  )
}

/** A database with these tables, each with so many rows. */
export async function makeDatabase(
  kind: ServerKind,
  server: BenchServer,
  rowsOf: Readonly<Record<string, number>>,
): Promise<string> {
  const database = await server.createDatabase()
  const tables = Object.keys(rowsOf)
  await withCleanup(async (scope) => {
    const one = await enter(scope, 'holdfast', server.url(database), { env: { COPY: 'off' }, files: filesOf(tables) })
    await until(() => isPrimary(one), { withinMs: 20_000, what: 'the primary' })
  })
  for (const [table, rows] of Object.entries(rowsOf)) {
    for (const text of rows === 0 ? [] : kind.insertText(table, rows)) await server.query(text, database)
  }
  return database
}

/** Starts a service on it, without a request. */
export async function enterCopied(
  t: Cleanup,
  url: string,
  env: Readonly<Record<string, string>> = {},
  tables: readonly string[] = [],
): Promise<CopiedService> {
  const files = filesOf(tables)
  const one = await enter(t, 'holdfast', url, { env: { COPY: 'auto', COPY_MAX_BYTES: '4GiB', ...env }, files })
  return {
    ...one,
    file() {
      const reader = new Database(join(one.running.dir, 'data/production.db'), { readonly: true })
      t.after(() => void reader.close())
      return reader
    },
  }
}

/** Asks until the primary serves. */
export async function isPrimary({ port }: Pick<Contestant, 'port'>): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/${collectionNames[0]}?limit=1`)
  await answer.text()
  return answer.headers.get('holdfast-store')?.startsWith('primary') === true
}

/** Resolves when each of these tables was copied, and polled. */
export async function untilWhole(one: CopiedService, tables: readonly string[], withinMs = 120_000): Promise<void> {
  await until(() => isPrimary(one), { withinMs: 20_000, everyMs: 20, what: 'the primary' })
  const isWhole = (): boolean => {
    const log = one.running.log()
    return tables.every((name) =>
      log.some(({ event, collection }) => event === 'copy.completed' && collection === name),
    )
  }
  await until(isWhole, { withinMs, everyMs: 50, what: `the copy\n${one.running.output()}` })
}
