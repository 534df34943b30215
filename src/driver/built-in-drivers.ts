import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { driverNamePattern } from './defects.ts'

/** Set by the bundler, and only there. */
declare const HOLDFAST_BUNDLED: boolean | undefined

/** Bundled, every chunk lies at the root of `dist/`; from the sources and compiled, this file lies in `src/driver/`. */
const houseFolder = new URL(typeof HOLDFAST_BUNDLED === 'undefined' ? '../../plugins/' : './plugins/', import.meta.url)

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/** Where a plugin of the house lies: `plugins/<name>/<name>`, as source beside sources, else as JavaScript. The name has been checked. */
export function housePluginUrl(name: string): URL {
  return new URL(`${name}/${name}.${extension}`, houseFolder)
}

/** The names of the house's own plugins; empty when the folder cannot be read. */
export async function housePluginNames(): Promise<readonly string[]> {
  try {
    const entries = await readdir(fileURLToPath(houseFolder), { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory() && driverNamePattern.test(entry.name)).map(({ name }) => name)
  } catch {
    return []
  }
}
