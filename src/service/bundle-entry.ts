import { builtInDriverNames, locatePlugin } from '../driver/locate.ts'

/** Put in by the bundler; not there in sources and compiled modules. */
declare const HOLDFAST_BUNDLED: boolean | undefined

/**
 * Where the process must go on from when a plugin is not the house's own: it imports MikroORM itself, and two copies of
 * that in one process do not recognise each other. Null: here. Only ever an address in the bundle. Never rejects.
 */
export async function modulesEntry(drivers: readonly string[], cwd: string): Promise<string | null> {
  if (typeof HOLDFAST_BUNDLED === 'undefined') return null
  const builtIn = await builtInDriverNames()
  for (const name of drivers.filter((one) => !builtIn.includes(one))) {
    // A name that means nothing is a problem of the settings, and no reason to start slowly.
    const foreign = await locatePlugin(name, cwd).catch(() => null)
    if (foreign !== null) return new URL('./lib/src/main.js', import.meta.url).href
  }
  return null
}
