import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { repository, startProcess } from '../../support/process.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const pageBytes = 4_096

/** A whole database of somebody else's, with a few hundred rows. */
export async function makeDatabase(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const native = new Database(file)
  try {
    native.exec('create table theirs (id integer primary key, text text); create index by_text on theirs (text)')
    const insert = native.prepare('insert into theirs (text) values (?)')
    for (let count = 0; count < 500; count += 1) insert.run(`${count} `.padEnd(200, 'x'))
  } finally {
    native.close()
  }
}

/** The same with its inner pages smashed: the header is whole, so only looking through it tells. Its bytes are returned. */
export async function makeDamaged(file: string): Promise<Buffer> {
  await makeDatabase(file)
  const bytes = readFileSync(file)
  bytes.fill(0xa5, 2 * pageBytes, 12 * pageBytes)
  writeFileSync(file, bytes)
  return bytes
}

/** A file that never was a database. Its bytes are returned. */
export async function makeNonsense(file: string): Promise<Buffer> {
  await mkdir(dirname(file), { recursive: true })
  const bytes = Buffer.from('Dear diary, this is no database.\n'.repeat(300))
  writeFileSync(file, bytes)
  return bytes
}

/** The files beside `file` that it was moved to. */
export async function asidesOf(file: string): Promise<readonly string[]> {
  const names = await readdir(dirname(file))
  const isAside = (name: string): boolean =>
    name.startsWith(`${basename(file)}.damaged-`) && !/-(wal|shm|journal)$/.test(name)
  return names.filter(isAside).map((name) => join(dirname(file), name))
}

const locker = `
import { createRequire } from 'node:module'
const Database = createRequire(process.argv[1])('better-sqlite3')
const native = new Database(process.argv[2], { timeout: 5000 })
native.exec('begin exclusive')
console.log('locked')
setInterval(() => {}, 1e6)
`

/** Another process that holds the file's lock until `release`. */
export async function lockFile(t: Cleanup, file: string): Promise<{ release(): Promise<void> }> {
  const args = ['--input-type=module', '-e', locker, join(repository, 'package.json'), file]
  const other = await startProcess(t, { args })
  await until(() => other.stdout().includes('locked'), { withinMs: 10_000, what: 'the lock of another process' })
  return {
    release: async () => {
      await other.end('SIGKILL')
    },
  }
}
