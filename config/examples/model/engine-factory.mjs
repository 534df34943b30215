// One database, opened: DatabaseEngineFactory.
import {
  connectionSettingsOf,
  DatabaseEngineFactory,
  DatabaseUrlResolver,
  dataFolders,
  loadDrivers,
  loadSettings,
} from 'holdfast'

const resolved = await loadSettings()
const { registry } = await loadDrivers(resolved.settings.drivers, { cwd: process.cwd() })
const folders = dataFolders(resolved.settings, process.cwd())
const { fallback } = new DatabaseUrlResolver(registry).resolve(resolved, folders)
const factory = new DatabaseEngineFactory({ entities: [], settings: () => connectionSettingsOf(resolved.settings) })
const store = await factory.open(fallback, 'fallback', AbortSignal.timeout(5_000))
const rows = await store.orm.em.fork().execute('select 1 as one')
process.stdout.write(`${store.driver.name}: ${JSON.stringify(rows)}\n`)
await store.close(1_000)
