import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { conform } from '../../src/conformance/conformance.ts'
import { loadDrivers } from '../../src/driver/load.ts'
import { repository } from '../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'

// A folder outside of the repository, with nothing in it but the examples and their packages.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
after(() => rmSync(folder, { recursive: true, force: true }))
cpSync(join(repository, 'config/examples/drivers'), folder, { recursive: true })
symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))

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
