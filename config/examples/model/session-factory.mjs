// A session for each request: DatabaseSessionFactory, on the database that a Supervisor chooses.
import { createServer } from 'node:http'
import * as holdfast from 'holdfast'

const resolved = await holdfast.loadSettings()
const { registry } = await holdfast.loadDrivers(resolved.settings.drivers, { cwd: process.cwd() })
const folders = holdfast.dataFolders(resolved.settings, process.cwd())
const config = holdfast.fixedConfig(new holdfast.DatabaseUrlResolver(registry).resolve(resolved, folders))
const settings = holdfast.connectionSettingsOf(resolved.settings)
const opener = new holdfast.DatabaseEngineFactory({ entities: [], settings: () => settings })
const supervisor = new holdfast.Supervisor({ opener, settings, config })
const sessions = new holdfast.DatabaseSessionFactory(supervisor, new holdfast.WorkRunner(supervisor))
const server = createServer(async (req, res) => {
  const { em } = await sessions.session(req, res)
  res.end(JSON.stringify(await em.execute('select 1 as one')))
})
server.listen(process.env.PORT ?? 3000)

process.once('SIGTERM', async () => {
  server.close()
  await supervisor.close(1_000)
  sessions.close()
})
