import { after, before, describe } from 'node:test'
import driver from '../../plugins/postgresql/postgresql.ts'
import { conform } from '../../src/driver/conformance.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/postgres.ts'
import { cleanupOf } from '../support/temp.ts'

describe('on a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  let isDown = false
  conform(driver, {
    address: async () => {
      if (isDown) await server.start()
      isDown = false
      return server.url(await server.createDatabase())
    },
    kill: async () => {
      await server.kill()
      isDown = true
    },
    pause: async () => server.pause(),
    resume: async () => server.resume(),
  })
})
