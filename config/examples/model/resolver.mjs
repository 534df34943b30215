// A DatabaseConfig from the settings: DatabaseUrlResolver.
import { DatabaseUrlResolver, dataFolders, loadDrivers, loadSettings } from 'holdfast'

const resolved = await loadSettings()
const { registry } = await loadDrivers(resolved.settings.drivers, { cwd: process.cwd() })
const folders = dataFolders(resolved.settings, process.cwd())
const { primary, fallback, problems } = new DatabaseUrlResolver(registry).resolve(resolved, folders)
process.stdout.write(
  `${primary?.target.host ?? 'no primary'}, else ${fallback?.driver.name}; ${problems.length} problems\n`,
)
