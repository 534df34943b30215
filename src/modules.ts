import { isAbsolute } from 'node:path'

/** Put in by the bundler; not there in sources and compiled modules. */
declare const HOLDFAST_BUNDLED: boolean | undefined

/** True in the bundled process, where packages such as MikroORM are inside and not shared with anything imported. */
export function isBundled(): boolean {
  return typeof HOLDFAST_BUNDLED !== 'undefined' && HOLDFAST_BUNDLED
}

/**
 * Where the process must go on from when a driver is named by path: such a plugin imports MikroORM itself, and two
 * copies of it in one process do not recognise each other. Null: here. Only ever an address in the bundle.
 */
export function modulesEntry(drivers: readonly string[]): string | null {
  if (!isBundled() || !drivers.some(isPath)) return null
  return new URL('./lib/src/main.js', import.meta.url).href
}

/** True for a driver that is named by where it lives: a path, relative or absolute, or a `file:` address. */
export function isPath(driver: string): boolean {
  return isAbsolute(driver) || /^(\.{1,2}[/\\]|file:)/.test(driver) || driver.includes('/')
}
