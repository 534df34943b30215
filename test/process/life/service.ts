/** A service of an application, in a process of its own: the tests of failing databases drive it. Not imported: started. */

import { defineEntity, p } from '@mikro-orm/core'
import { readJson } from '../../../src/http/data/body.ts'
import { createHoldfast, loadSettings } from '../../../src/index.ts'

const Mark = defineEntity({
  name: 'Mark',
  tableName: 'mark',
  properties: { id: p.string().primary(), note: p.string() },
})

/** The application's own table, as it makes it in a fallback; in the primary the test makes it. */
const table = 'create table if not exists mark (id varchar(80) primary key, note varchar(80) not null)'

/** Transactions that wait inside, by name. */
const held = new Map<string, PromiseWithResolvers<void>>()

/** Those of them that have come so far. */
const inside = new Set<string>()

const holdfast = createHoldfast({
  settings: await loadSettings(),
  collections: 'config/collections',
  entities: [Mark],
  observe: (seen) => {
    const { fault } = seen as { fault?: { kind: string; code: string; summary: string } } // Only some have one.
    const { kind, code, summary } = fault ?? {}
    const said = {
      level: 'info',
      atMs: Math.round(performance.now()),
      event: seen.type,
      ...seen,
      ...(fault === undefined ? {} : { fault: { kind, code, summary } }),
    }
    process.stdout.write(`${JSON.stringify(said, (_key, value) => (value instanceof Error ? String(value) : value))}\n`)
  },
  routes: (app, own) => {
    app.post('/transaction/:name', async (req, res) => {
      const name = req.params.name ?? ''
      const rerun = req.search.includes('rerun') ? ({ rerun: 'before-commit' } as const) : {}
      const outcome = await own.transactional(async ({ em, shown }) => {
        if (shown !== 'primary') await em.execute(table)
        await em.insert(Mark, { id: `${name}-1`, note: shown })
        if (held.has(name)) inside.add(name)
        await held.get(name)?.promise
        held.delete(name)
        await em.insert(Mark, { id: `${name}-2`, note: shown })
      }, rerun)
      res.end(JSON.stringify({ store: outcome.store, durability: outcome.durability }))
    })
    app.post('/hold/:name', async (req, res) => {
      held.set(req.params.name ?? '', Promise.withResolvers())
      res.end()
    })
    app.get('/inside/:name', async (req, res) => {
      res.end(String(inside.has(req.params.name ?? '')))
    })
    app.post('/go/:name', async (req, res) => {
      held.get(req.params.name ?? '')?.resolve()
      res.end()
    })
    app.post('/sql', async (req, res) => {
      const { sql } = (await readJson(req, 10_000)) as { sql: string } // Of the test.
      const { em, shown } = await own.session(req, res)
      const rows = await em.execute(sql)
      res.end(JSON.stringify({ shown, rows }))
    })
  },
})

process.once('SIGTERM', () => void holdfast.close().then(() => process.exit(0)))
await holdfast.listen()
