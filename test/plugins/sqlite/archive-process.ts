import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { type Options, SqlMikroORM } from '@mikro-orm/sql'
import type { MikroORM } from '../../../src/driver/orm.ts'
import { KeptFolder } from './archive-folder.ts'
import { archivedTarget, facet } from './archive-store.ts'
import { limits, prove, Thing } from './bench.ts'

/**
 * Writes and archives until it is killed. Where there is no file it is rebuilt from what is kept. Prints `begin true` or
 * `begin false`, and each id once what holds it is kept.
 */
const [folder = '', keptFolder = '', start = '1'] = process.argv.slice(2)
const kept = new KeptFolder(keptFolder)
const target = archivedTarget(folder)
const before = kept.read()
const isRestored = (await facet.missing(target, 5_000)) !== null && before.base !== null
if (isRestored) await before.restore(folder)

const { candidate, facts } = await prove(target, 'open', { ...limits, connectMs: 10_000 })
const engine = candidate.engine(facts)
const orm: MikroORM = new SqlMikroORM({ ...engine.ormOptions, entities: [Thing] } as unknown as Options)
await orm.connect()
await orm.schema.update({ safe: true })
const source = engine.archive?.(orm)
const run = engine.statements?.(orm)
if (source == null || run === undefined) throw new Error('unreachable: the store is archived')

const isContinued = await source.begin(isRestored ? null : before.position)
writeSync(1, `begin ${isContinued}\n`)
if (!isContinued) await snapshot()

async function snapshot(): Promise<void> {
  const made = await source?.snapshot(kept.draft, kept.keep, new AbortController().signal)
  if (made != null) kept.base(made.position)
}

let next = Number(start)
let answered: number[] = []

async function writeAlone(): Promise<void> {
  for (;;) {
    const id = next
    next += 1
    await run?.write('insert into thing (id, name) values (?, ?)', [id, `${id} ${'x'.repeat(id % 6_000)}`])
    answered.push(id)
  }
}

async function writeMany(): Promise<void> {
  for (;;) {
    const ids = Array.from({ length: 13 }, () => {
      next += 1
      return next - 1
    })
    await orm.em.fork().transactional(async (em) => {
      for (const id of ids) {
        await em.execute('insert into thing (id, name) values (?, ?)', [
          id,
          `${id} ${randomBytes(3_000).toString('hex')}`,
        ])
      }
    })
    answered.push(...ids)
  }
}

async function archive(): Promise<void> {
  for (let round = 1; ; round += 1) {
    const before = answered
    answered = []
    // Everything that came before this round fits; the writers never stop.
    const cut = await source?.cut(16 * 1_048_576)
    if (cut != null) await kept.keep([cut])
    for (const id of before) writeSync(1, `${id}\n`)
    if (round % 5 === 0) {
      const position = await source?.checkpoint(kept.keep)
      if (position != null) kept.at(position)
    }
    if (round % 23 === 0) await snapshot()
  }
}

await Promise.all([writeAlone(), writeAlone(), writeMany(), archive()])
