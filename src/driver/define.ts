import type { Driver, Target } from './driver.ts'

const members = {
  contract: 'number',
  name: 'string',
  schemes: 'object',
  parse: 'function',
  describe: 'function',
  classify: 'function',
  connect: 'function',
  verify: 'function',
  evict: 'function',
} as const satisfies Partial<Record<keyof Driver, string>>

/** The words that a driver's folder, configuration value and test file share. */
const namePattern = /^[a-z][a-z0-9-]{0,39}$/

/** What is wrong with the shape of a value that claims to be a driver; empty when nothing is. Total. */
export function driverDefects(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return ['it is not an object']
  const given = value as Record<string, unknown> // Read member by member below: the one way to look at a foreign value.
  const defects = Object.entries(members)
    .filter(([member, type]) => typeof given[member] !== type)
    .map(([member, type]) => `"${member}" must be a ${type}`)
  if (typeof given.name === 'string' && !namePattern.test(given.name)) {
    defects.push('"name" must be lower case letters, digits and hyphens')
  }
  if (!Array.isArray(given.schemes) || given.schemes.length === 0 || !given.schemes.every(isScheme)) {
    defects.push('"schemes" must be a list of lower-case schemes without colon')
  }
  return defects
}

/**
 * Checks shape and types at the edge; returns its argument.
 *
 * @throws TypeError naming every defect. The contract's generation is not checked here: the registry reports it.
 */
export function defineDriver<T extends Target>(driver: Driver<T>): Driver<T> {
  const defects = driverDefects(driver)
  if (defects.length > 0) throw new TypeError(`This is not a driver: ${defects.join('; ')}.`)
  return driver
}

function isScheme(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z][a-z0-9+.-]*$/.test(value)
}
