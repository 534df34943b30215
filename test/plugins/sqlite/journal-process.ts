import { writeSync } from 'node:fs'
import driver from '../../../plugins/sqlite/sqlite.ts'
import type { Copy } from '../../../src/driver/facet/copy.ts'
import { limits } from './bench.ts'
import { fed, here, noteCopied } from './copy-store.ts'
import { openJournal } from './journal-store.ts'

/**
 * `open`: opens the file and closes it; `hold`: keeps it open; `write`: writes until it is killed, and prints what was answered;
 * `copy`: copies until it is killed.
 */
const [folder = '', word = '', round = ''] = process.argv.slice(2)

try {
  const store = await openJournal(folder, { ...limits, queryMs: 10_000 })
  print('open')
  if (word === 'open') await store.close()
  else if (word === 'hold') setInterval(() => {}, 60_000)
  else if (word === 'copy') await copyAlways(store.engine.copy())
  else await Promise.all([...Array.from({ length: 8 }, (_, worker) => writeAlone(worker)), writePairs()])

  /** Each row says its version. */
  async function copyAlways(copy: Copy | null): Promise<void> {
    await copy?.begin(here, [noteCopied])
    for (let turn = 0; ; turn += 1) {
      const version = `${round}-${turn}`
      const keys = Array.from({ length: 400 }, (_, index) => `n-${(turn * 150 + index) % 3_000}`)
      const removed = Array.from({ length: 50 }, (_, index) => `n-${(turn * 70 + index) % 3_000}`)
      const kept = keys.filter((key) => !removed.includes(key))
      await copy?.apply(noteCopied, { rows: kept.map((key) => fed(key, `${key}-${version}`, version)), removed })
      print('applied')
    }
  }

  async function writeAlone(worker: number): Promise<void> {
    for (let index = 0; ; index += 1) {
      const id = `${round}-${worker}-${index}`
      await store.run.write('insert into note (id, words) values (?, ?)', [id, id])
      print(id)
      await store.run.write('update note set words = ? where id = ?', [`${id} changed`, id])
      if (index % 3 === 0) await store.run.write('delete from note where id = ?', [id])
    }
  }

  async function writePairs(): Promise<void> {
    for (let index = 0; ; index += 1) {
      const id = `pair-${round}-${index}`
      await store.orm.em.fork().transactional(async (em) => {
        await em.execute(`insert into note (id, words) values ('${id}', '${id}')`)
        await em.execute(`update note set words = '${id} changed' where id = '${id}'`)
      })
      print(id)
    }
  }
} catch (error) {
  const fault = driver.classify(error, 'open')
  print(JSON.stringify({ code: fault.code, name: 'FaultError', fault: { ...fault, cause: null } }))
}

function print(line: string): void {
  writeSync(1, `${line}\n`)
}
