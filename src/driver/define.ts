import type { Driver, SettingDeclaration, Target } from './driver.ts'

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

const optionalMembers = {
  accepts: 'object',
  exclusive: 'string',
  settings: 'object',
  inspect: 'function',
  embedded: 'object',
  statements: 'object',
  schemaLock: 'object',
} as const satisfies Partial<Record<keyof Driver, string>>

/** What each facet must be able to do; a facet that is there and cannot is worse than none. */
const facets = {
  embedded: 'files',
  statements: 'bind',
  schemaLock: 'hold',
} as const satisfies Partial<Record<keyof Driver, string>>

/** The words that a driver's folder, configuration value and test file share. */
export const driverNamePattern: RegExp = /^[a-z][a-z0-9-]{0,39}$/

const settingFormats: readonly SettingDeclaration['format'][] = ['string', 'boolean', 'natural', 'duration', 'bytes']

type Foreign = Readonly<Record<string, unknown>>

/** What is wrong with the shape of a value that claims to be a driver; empty when nothing is. Total. */
export function driverDefects(value: unknown): readonly string[] {
  if (!isObject(value)) return ['it is not an object']
  try {
    return [...memberDefects(value), ...wordDefects(value), ...facetDefects(value), ...settingDefects(value)]
  } catch {
    // A member that throws when it is read: nothing in a driver has a reason to.
    return ['one of its members throws when it is read']
  }
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

function memberDefects(given: Foreign): string[] {
  const required = Object.entries(members).filter(([member, type]) => typeof given[member] !== type)
  const optional = Object.entries(optionalMembers).filter(
    ([member, type]) => given[member] !== undefined && (given[member] === null || typeof given[member] !== type),
  )
  return [...required, ...optional].map(([member, type]) => `"${member}" must be ${article(type)} ${type}`)
}

function wordDefects(given: Foreign): string[] {
  const defects: string[] = []
  if (typeof given.name === 'string' && !driverNamePattern.test(given.name)) {
    defects.push('"name" must be lower case letters, digits and hyphens')
  }
  if (!isSchemeList(given.schemes) || given.schemes.length === 0) {
    defects.push('"schemes" must be a list of lower-case schemes without colon')
  }
  if (given.accepts !== undefined && !isSchemeList(given.accepts)) {
    defects.push('"accepts" must be a list of lower-case schemes without colon')
  }
  return defects
}

function facetDefects(given: Foreign): string[] {
  return Object.entries(facets)
    .filter(([facet, method]) => {
      const member = given[facet]
      return isObject(member) && typeof member[method] !== 'function'
    })
    .map(([facet, method]) => `the facet "${facet}" must have a function "${method}"`)
}

function settingDefects(given: Foreign): string[] {
  if (!isObject(given.settings) || typeof given.name !== 'string') return []
  const prefix = `${given.name.toUpperCase().replaceAll('-', '_')}_`
  return Object.entries(given.settings).flatMap(([key, declaration]) =>
    declarationDefects(declaration, prefix).map((defect) => `the setting "${key}" ${defect}`),
  )
}

function declarationDefects(declaration: unknown, prefix: string): string[] {
  if (!isObject(declaration)) return ['must be an object']
  const { doc, format, env } = declaration
  const defects: string[] = []
  if (typeof doc !== 'string') defects.push('must have a text "doc"')
  if (!isFormat(format)) defects.push('must have a "format": a list of words or a known word')
  if (!('default' in declaration)) defects.push('must have a "default"')
  if (typeof env !== 'string' || !env.startsWith(prefix) || !/^[A-Z][A-Z0-9_]*$/.test(env)) {
    defects.push(`must have an "env" in capitals that begins with ${prefix}`)
  }
  return defects
}

function isFormat(format: unknown): boolean {
  if (Array.isArray(format)) return format.length > 0 && format.every((word) => typeof word === 'string')
  return settingFormats.some((known) => known === format)
}

function isSchemeList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isScheme)
}

function isScheme(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z][a-z0-9+.-]*$/.test(value)
}

function isObject(value: unknown): value is Foreign {
  return typeof value === 'object' && value !== null
}

function article(type: string): string {
  return type === 'object' ? 'an' : 'a'
}
