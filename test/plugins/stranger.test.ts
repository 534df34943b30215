import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { conform } from '../../src/conformance/conformance.ts'
import { loadDrivers } from '../../src/driver/load.ts'

// A folder outside of the repository, with nothing in it but the plugin and its packages.
const repository = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'holdfast-stranger-'))
after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'notebook'))
cpSync(join(repository, 'test/support/stranger'), join(folder, 'notebook'), { recursive: true })
symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))

// By its path, as the service does: its import of "holdfast/driver" is answered with our own module.
const { registry, problems } = await loadDrivers(['./notebook'], { cwd: folder })
const driver = registry.byName('notebook')
if (driver === null) throw new Error(problems.map(({ message }) => message).join(' '))

conform(driver, { address: async () => `notebook:${randomUUID()}.db` })
