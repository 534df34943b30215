// What is wrong with an address: DatabaseUrlValidator.
import { resolve } from 'node:path'
import { DatabaseUrlValidator, loadDrivers, loadSettings } from 'holdfast'

const { settings } = await loadSettings()
const { registry } = await loadDrivers(settings.drivers, { cwd: process.cwd() })
const validator = new DatabaseUrlValidator(registry, settings)
const context = { role: 'primary', setting: 'database.url', origin: null, folders: [resolve('data')] }
for (const { code, suggestion } of validator.validate('postgresql://app:secret@db:54x2/app', context)) {
  process.stdout.write(`${code}: ${suggestion}\n`)
}
