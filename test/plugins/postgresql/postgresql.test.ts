import { after, before, describe } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { conform } from '../../../src/conformance/conformance.ts'
import { noPgbouncer, type Pgbouncer, startPgbouncer } from '../../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { binariesOf, noBinaries } from '../../support/servers/postgres-binaries.ts'
import { cleanupOf } from '../../support/temp.ts'

// At the same time: most of it waits for limits, and each has a server of its own.
describe('PostgreSQL', { concurrency: true }, () => {
  describe('on a real PostgreSQL', { skip: noPostgres, concurrency: 1 }, () => conformDirectly())

  const isSame = binariesOf() === binariesOf('embedded') && 'the embedded PostgreSQL is the one above'
  describe('on PostgreSQL 18', { skip: noBinaries('embedded') || isSame, concurrency: 1 }, () =>
    conformDirectly('embedded'),
  )

  for (const [how, query] of [
    ['that the address names', '?pgbouncer=true'],
    ['that is only found out', ''],
  ] as const) {
    describe(`through a PgBouncer in transaction mode ${how}`, {
      skip: noPostgres || noPgbouncer,
      concurrency: 1,
    }, () => {
      const cleanup = cleanupOf(after)
      let server: Postgres
      let pooler: Pgbouncer
      before(async () => {
        server = await startPostgres(cleanup)
        pooler = await startPgbouncer(cleanup, server)
      })

      let isDown = false
      conform(driver, {
        address: async () => {
          if (isDown) await pooler.start()
          isDown = false
          return `${pooler.url(await server.createDatabase())}${query}`
        },
        kill: async () => {
          await pooler.kill()
          isDown = true
        },
        pause: async () => pooler.pause(),
        resume: async () => pooler.resume(),
      })
    })
  }
})

function conformDirectly(binaries?: 'embedded'): void {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup, binaries === undefined ? {} : { binaries })
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
}
