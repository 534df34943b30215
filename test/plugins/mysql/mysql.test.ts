import { after, before, describe } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
import { conform } from '../../../src/conformance/conformance.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { cleanupOf } from '../../support/temp.ts'

describe('on a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  before(async () => {
    server = await startMariadb(cleanup)
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
