/**
 * The process under test: the data API, and business code over the same rows. Settings come from the environment, as those
 * of the service; it logs its observations as lines of JSON. Not imported: started.
 */
import { flushCompileCache } from 'node:module'
import { type EntityClass, NotFoundError } from '@mikro-orm/core'
import { readJson } from '../../src/http/data/body.ts'
import { createHoldfast, HoldfastError, loadSettings, type Session } from '../../src/index.ts'
import type { Step, TransactionRequest } from './stage/steps.ts'

interface Item {
  id: string
  token: string
  note: string | null
  slug: string | null
  holdfast_attempt: string | null
}

/** Steps that wait, by name; those that were released before they came are not kept. */
const waiting = new Map<string, PromiseWithResolvers<void>>()

const settings = await loadSettings()
const holdfast = createHoldfast({
  settings,
  collections: 'config/collections',
  observe: (seen) => {
    const { type, fault, error, ...rest } = seen as {
      type: string
      fault?: { kind: string; code: string; summary: string }
      error?: unknown
    } // Only some have one.
    if (type === 'request.answered') return
    // Most of these processes are killed, and would leave nothing for those after them.
    if (type === 'store.opened') setImmediate(flushCompileCache)
    const said = fault === undefined ? {} : { fault: { kind: fault.kind, code: fault.code, summary: fault.summary } }
    const thrown = error === undefined ? {} : { error: error instanceof Error ? error.stack : String(error) }
    write({ level: 'info', time: Date.now(), event: type, ...rest, ...said, ...thrown })
  },
  routes: (app, own) => {
    app.get('/state', async (_req, res) => {
      const { settings: _lines, ...status } = own.status()
      res.end(JSON.stringify(status))
    })
    app.post('/transaction', async (req, res) => {
      const { steps, rerun } = (await readJson(req, 1_000_000)) as TransactionRequest // Of the tests.
      const outcome = await own.transactional(
        async (session) => ({ ids: await carryOut(session, steps), attempt: session.attempt }),
        rerun === undefined ? {} : { rerun },
      )
      res.setHeader('Holdfast-Store', `${outcome.store}; driver=${outcome.driver}`)
      res.setHeader('Holdfast-Durability', outcome.durability)
      res.end(JSON.stringify(outcome.value))
    })
    // A handler with a session of its own: each flush is a transaction.
    app.post('/handler', async (req, res) => {
      const { steps } = (await readJson(req, 1_000_000)) as TransactionRequest // Of the tests.
      const session = await own.session(req, res)
      const ids = await carryOut(session, steps)
      res.setHeader('Holdfast-Store', `${session.shown}; driver=${session.store.driver.name}`)
      res.end(JSON.stringify({ ids, attempt: null }))
    })
    // A long answer, which keeps its session.
    app.get('/stream/:name', async (req, res) => {
      const { em, shown } = await own.session(req, res)
      await em.execute('select 1')
      res.write(`${shown}\n`)
      await wait(req.params.name ?? '')
      res.end()
    })
    app.post('/go/:name', async (req, res) => {
      const name = req.params.name ?? ''
      const isThere = waiting.has(name)
      waiting.get(name)?.resolve()
      res.end(String(isThere))
    })
  },
})
process.once('SIGTERM', () => void holdfast.close().then(() => process.exit(0)))
process.on('unhandledRejection', (error) => write({ level: 'error', event: 'service.defect', error: String(error) }))
const { port } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
write({ level: 'info', event: 'http.listening', port })
if (settings.settings.database.boot === 'eager') void holdfast.open()

/** A row that is not in the database which serves is an answer of this application. */
async function carryOut(session: Session, steps: readonly Step[]): Promise<readonly string[]> {
  try {
    return await perform(session, steps)
  } catch (error) {
    throw error instanceof NotFoundError ? new HoldfastError('ROW_NOT_FOUND', { cause: error }) : error
  }
}

async function perform({ em, store }: Session, steps: readonly Step[]): Promise<readonly string[]> {
  const meta = store.orm.getMetadata().getByClassName<Item>('item')
  const entity = meta.class as EntityClass<Item>
  const made: Item[] = []
  for (const step of steps) {
    switch (step.do) {
      case 'create':
        made.push(em.create(entity, { note: null, slug: null, ...step.row } as unknown as Item)) // Hooks add the rest.
        break
      case 'change':
        em.assign(await em.findOneOrFail(entity, { id: step.id }), step.row)
        break
      case 'remove':
        em.remove(await em.findOneOrFail(entity, { id: step.id }))
        break
      case 'native':
        await em.nativeUpdate(entity, { id: step.id }, step.row)
        break
      case 'sql':
        await em.execute(step.sql, [...step.values])
        break
      case 'flush':
        await em.flush()
        break
      case 'wait':
        await wait(step.name)
        break
    }
  }
  await em.flush()
  return made.map(({ id }) => id)
}

async function wait(name: string): Promise<void> {
  const waits = Promise.withResolvers<void>()
  waiting.set(name, waits)
  await waits.promise
  waiting.delete(name)
}

function write(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line, (_key, value) => (value instanceof Error ? String(value) : value))}\n`)
}
