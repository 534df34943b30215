import type { Driver } from './driver.ts'

/**
 * The built-in drivers by name, where they are part of the bundle: the build puts them here, since a module for each costs a
 * start ten times their evaluation. Empty elsewhere: each is imported from its own file.
 */
export const bundledDrivers: ReadonlyMap<string, Driver> = new Map()
