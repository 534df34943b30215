/**
 * An application that uses the library: its own entities, and transactions of several statements through MikroORM. Its
 * settings come from the environment, as those of the service; it prints its port in the same way.
 */
import { defineEntity, p } from '@mikro-orm/core'
import { createHoldfast, loadSettings, type Session } from '../../src/index.ts'

const Account = defineEntity({
  name: 'Account',
  tableName: 'account',
  properties: { id: p.integer().primary(), balance: p.integer() },
})
const Transfer = defineEntity({
  name: 'Transfer',
  tableName: 'transfer',
  properties: { token: p.string().primary(), from: p.integer(), to: p.integer() },
})

const holdfast = createHoldfast({
  settings: await loadSettings(),
  entities: [Account, Transfer],
  routes: (app, made) => {
    app.post('/transfer/:token/:from/:to', async (req, res) => {
      const { token = '', from, to } = req.params
      const transfer = { token, from: Number(from), to: Number(to) }
      const outcome = await made.transactional((session) => carryOut(session, transfer), { rerun: 'before-commit' })
      res.setHeader('Holdfast-Store', `${outcome.store}; driver=${outcome.driver}`)
      res.setHeader('Holdfast-Durability', outcome.durability)
      res.end('{}')
    })
  },
})
const { port } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`${JSON.stringify({ level: 'info', event: 'http.listening', port })}\n`)
process.on('SIGTERM', () => void holdfast.close().then(() => process.exit(0)))

/** Two changes and a row that says so, all or nothing. */
async function carryOut({ em }: Session, { token, from, to }: { token: string; from: number; to: number }) {
  const accounts = em.getRepository(Account)
  // In one order, so that two of them do not wait for each other in a circle.
  for (const id of [from, to].toSorted()) await em.execute('update account set balance = balance where id = ?', [id])
  const giving = await accounts.findOneOrFail(from, { refresh: true })
  const taking = await accounts.findOneOrFail(to, { refresh: true })
  giving.balance -= 1
  taking.balance += 1
  em.create(Transfer, { token, from, to })
}
