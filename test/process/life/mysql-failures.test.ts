import { noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { lifeTable } from './table.ts'

lifeTable('MariaDB', noMariadb, async (cleanup) => {
  const server = await startMariadb(cleanup)
  const others = (database: string) =>
    `from information_schema.processlist where db = '${database}' and id <> connection_id()`
  return Object.assign(server, {
    driver: 'mysql',
    front: async (t: Parameters<typeof startProxy>[0]) => {
      const proxy = await startProxy(t, server)
      return { proxy, url: (database: string) => server.url(database, proxy.port) }
    },
    terminateAll: async (database: string) => {
      for (const { id } of await server.query(`select id ${others(database)}`)) {
        // One that has ended by itself meanwhile is an error.
        await server.query(`kill ${Number(id)}`).catch(() => {})
      }
    },
    sessions: async (database: string) =>
      (await server.query(`select host ${others(database)}`)).map(({ host }) => Number(String(host).split(':').at(-1))),
    sleep: (seconds: number) => `select connection_id() as session, sleep(${seconds}) as slept`,
    // Each session switches "autocommit" on.
    words: { begin: /begin/i, commit: /(?<!auto)commit/i },
  })
})
