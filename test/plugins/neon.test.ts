import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import driver from '../../plugins/neon/neon.ts'
import { conform } from '../../src/driver/conformance.ts'
import { makeCertificate, noOpenssl } from '../support/certificates.ts'
import { type NeonBridge, startBridge } from '../support/neon-bridge.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/postgres.ts'
import { cleanupOf, makeTempDir } from '../support/temp.ts'

describe('on a real PostgreSQL behind WebSockets with TLS', { skip: noPostgres || noOpenssl }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bridge: NeonBridge
  let authority: string
  before(async () => {
    server = await startPostgres(cleanup)
    const certificate = await makeCertificate(cleanup)
    authority = join(await makeTempDir(cleanup, 'authority'), 'ca.crt')
    await writeFile(authority, certificate.authority)
    bridge = await startBridge(cleanup, server, certificate)
  })

  let isDown = false
  conform(driver, {
    address: async () => {
      if (isDown) await server.start()
      isDown = false
      const [credentials] = server.url().split('@')
      const name = await server.createDatabase()
      return `${credentials?.replace('postgres:', 'neon+https:')}@localhost:${bridge.port}/${name}?sslrootcert=${authority}`
    },
    kill: async () => {
      await server.kill()
      isDown = true
    },
    pause: async () => server.pause(),
    resume: async () => server.resume(),
  })
})
