import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import driver from '../../../plugins/neon/neon.ts'
import { conform } from '../../../src/conformance/conformance.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { type NeonBridge, startBridge } from '../../support/servers/neon-bridge.ts'
import { noPgbouncer, startPgbouncer } from '../../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'

describe('WebSockets with TLS before a real PostgreSQL', { skip: noPostgres || noOpenssl }, () => conformBehind())

// As Neon's hosts whose name ends in "-pooler".
describe('WebSockets with TLS before a PgBouncer', { skip: noPostgres || noOpenssl || noPgbouncer }, () =>
  conformBehind('pooler'),
)

interface Backend {
  readonly port: number
  start(): Promise<void>
  kill(): Promise<void>
  pause(): void
  resume(): void
}

function conformBehind(pooler?: 'pooler'): void {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let behind: Backend
  let bridge: NeonBridge
  let authority: string
  before(async () => {
    server = await startPostgres(cleanup)
    behind = pooler === undefined ? server : await startPgbouncer(cleanup, server)
    const certificate = await makeCertificate(cleanup)
    authority = join(await makeTempDir(cleanup, 'authority'), 'ca.crt')
    await writeFile(authority, certificate.authority)
    bridge = await startBridge(cleanup, behind, certificate)
  })

  let isDown = false
  conform(driver, {
    address: async () => {
      if (isDown) await behind.start()
      isDown = false
      const [credentials] = server.url().split('@')
      const name = await server.createDatabase()
      return `${credentials?.replace('postgres:', 'neon+https:')}@localhost:${bridge.port}/${name}?sslrootcert=${authority}`
    },
    kill: async () => {
      await behind.kill()
      isDown = true
    },
    pause: async () => behind.pause(),
    resume: async () => behind.resume(),
  })
}
