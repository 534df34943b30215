import { writeSync } from 'node:fs'
import { type Options, SqlMikroORM } from '@mikro-orm/sql'
import driver from '../../../plugins/sqlite/sqlite.ts'
import type { MikroORM } from '../../../src/driver/orm.ts'
import { prove, Thing, targetOf } from './bench.ts'

/** Writes until it is killed: natively from many sides, in transactions of two rows from a few; prints what was answered. */
const [folder = '', start = '1'] = process.argv.slice(2)
const { candidate, facts } = await prove(targetOf('sqlite:x.db', { folders: [folder] }))
const engine = candidate.engine(facts)
const orm: MikroORM = new SqlMikroORM({ ...engine.ormOptions, entities: [Thing] } as unknown as Options)
await orm.connect()
await orm.schema.update({ safe: true })
const run = engine.statements?.(orm)
let next = Number(start)

/** Ids of the transactions end in 8 and 9, those of single writes in 0 to 7. */
function draw(isPair: boolean): number {
  const id = next
  next += 10
  return id - (id % 10) + (isPair ? 8 : id % 7)
}

async function writeAlone(): Promise<void> {
  for (;;) {
    const id = draw(false)
    await retried(async () => run?.write('insert into thing (id, name) values (?, ?)', [id, `n-${id}`]))
    writeSync(1, `${id}\n`)
  }
}

async function writePairs(): Promise<void> {
  for (;;) {
    const id = draw(true)
    await retried(() =>
      orm.em.fork().transactional(async (em) => {
        await em.insert(Thing, { id, name: `n-${id}` })
        await em.insert(Thing, { id: id + 1, name: `n-${id + 1}` })
      }),
    )
    writeSync(1, `${id}\n${id + 1}\n`)
  }
}

/** Another process may hold the lock longer than the limit: asked again, as a client would. */
async function retried(write: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await write()
      return
    } catch (error) {
      if (driver.classify(error, 'commit').kind !== 'transient' || tries > 20) throw error
    }
  }
}

await Promise.all([...Array.from({ length: 12 }, writeAlone), writePairs(), writePairs()])
