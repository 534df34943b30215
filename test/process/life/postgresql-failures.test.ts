import { noPostgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { lifeTable } from './table.ts'

lifeTable('PostgreSQL', noPostgres, async (cleanup) => {
  const server = await startPostgres(cleanup)
  const others = (database: string) => `from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`
  return Object.assign(server, {
    driver: 'postgresql',
    front: async (t: Parameters<typeof startProxy>[0]) => {
      const proxy = await startProxy(t, server)
      return { proxy, url: (database: string) => server.url(database, proxy.port) }
    },
    terminateAll: async (database: string) =>
      void (await server.query(`select pg_terminate_backend(pid) ${others(database)}`)),
    sessions: async (database: string) =>
      (await server.query(`select client_port as port ${others(database)}`)).map(({ port }) => Number(port)),
    sleep: (seconds: number) => `select pg_backend_pid() as session from pg_sleep(${seconds})`,
    // No word boundary: the byte before may be any.
    words: { begin: /begin/i, commit: /commit/i },
  })
})
