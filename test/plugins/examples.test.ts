import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { conform } from '../../src/conformance/conformance.ts'
import { loadDrivers } from '../../src/driver/load.ts'
import { repository } from '../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import { linkAsGuided } from './guide.ts'

// A folder outside of the repository, with nothing in it but the examples, the links of the page, and the clients.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
after(() => rmSync(folder, { recursive: true, force: true }))
cpSync(join(repository, 'config/examples/drivers'), folder, { recursive: true })
linkAsGuided(folder, ['better-sqlite3', 'pg', 'pg-cursor'])

// By path, as the service does: their imports of Holdfast are answered with this process's own modules.
const { registry, problems } = await loadDrivers(['./notebook', './ledger'], { cwd: folder })
const [notebook, ledger] = [registry.byName('notebook'), registry.byName('ledger')]
if (notebook === null || ledger === null) throw new Error(problems.map(({ message }) => message).join(' '))

conform(notebook, { address: async () => `notebook:${randomUUID()}.db` })

describe('a server', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })
  conform(ledger, {
    address: async () => server.url(await server.createDatabase()).replace(/^\w+:/, 'ledger:'),
  })
})
