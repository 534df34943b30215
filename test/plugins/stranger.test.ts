import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { conform } from '../../src/driver/conformance.ts'

// A folder outside of the repository, with nothing in it but the plugin and its packages.
const repository = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'holdfast-stranger-'))
after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'notebook'))
cpSync(join(repository, 'test/support/stranger'), join(folder, 'notebook'), { recursive: true })
symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))

const { driver } = await import(pathToFileURL(join(folder, 'notebook/notebook.mjs')).href)

conform(driver, { address: async () => `notebook:${randomUUID()}.db` })
