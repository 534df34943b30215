/** Members of `Driver` and their types. This file names none of its types: the contract imports it. */
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
} as const

const optionalMembers = {
  accepts: 'object',
  exclusive: 'string',
  settings: 'object',
  inspect: 'function',
  setReadOnly: 'function',
  embedded: 'object',
  statements: 'object',
  schemaLock: 'object',
} as const

/** What each facet must be able to do; a facet that is there and cannot is worse than none. */
const facets = {
  embedded: 'files',
  statements: 'bind',
  schemaLock: 'hold',
} as const

/** The words that a driver's folder, configuration value and test file share. */
export const driverNamePattern: RegExp = /^[a-z][a-z0-9-]{0,39}$/

type Foreign = Readonly<Record<string, unknown>>

/** Thrown by `defineDriver`: what is no driver. Told by its own name, also where another copy of this module threw it. */
export class InvalidDriver extends TypeError {
  override readonly name = 'InvalidDriver'
  readonly defects: readonly string[]

  constructor(defects: readonly string[]) {
    super(`This is not a driver: ${defects.join('; ')}.`)
    this.defects = defects
  }
}

/** What is wrong with the shape of a value that claims to be a driver; empty when nothing is. Total. */
export function driverDefects(value: unknown): readonly string[] {
  if (!isObject(value)) return ['it is not an object']
  try {
    return [...memberDefects(value), ...wordDefects(value), ...facetDefects(value)]
  } catch {
    // A member that throws when it is read: nothing in a driver has a reason to.
    return ['one of its members throws when it is read']
  }
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
