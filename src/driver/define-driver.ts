import type { Target } from './address.ts'
import type { Driver, SqlDialect } from './driver.ts'

export type * from './address.ts'
export type * from './driver.ts'

/** The contract generation of this release. */
export const contractGeneration = 1

/** The word that a driver's folder, configuration value and test file share. */
export const driverNamePattern: RegExp = /^[a-z][a-z0-9-]{0,39}$/

const isFunction = (value: unknown): boolean => typeof value === 'function'
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
const isSchemeList = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && /^[a-z][a-z0-9+.-]*$/.test(one))

const sqlDialects: readonly SqlDialect[] = ['sqlite', 'postgresql', 'mysql']

const schemeList = 'a list of lower-case schemes without colon'

/** Each member of the contract: what it must be when it is there, and the check. */
const shape: { readonly [Member in keyof Required<Driver>]: readonly [string, (value: unknown) => boolean] } = {
  contract: ['a number', (value) => typeof value === 'number'],
  name: [
    'lower case letters, digits and hyphens',
    (value) => typeof value === 'string' && driverNamePattern.test(value),
  ],
  schemes: [schemeList, (value) => isSchemeList(value) && (value as readonly unknown[]).length > 0],
  accepts: [schemeList, isSchemeList],
  settings: ['an object', isObject],
  parse: ['a function', isFunction],
  inspect: ['a function', isFunction],
  describe: ['a function', isFunction],
  classify: ['a function', isFunction],
  connect: ['a function', isFunction],
  embedded: ['an object with a function "files"', (value) => isObject(value) && isFunction(value.files)],
  journals: ['true', (value) => value === true],
  replays: ['true', (value) => value === true],
  exclusive: ['a string', (value) => typeof value === 'string'],
  textCollation: ['a string', (value) => typeof value === 'string'],
  integersOnly: ['true', (value) => value === true],
  sqlDialect: [`one of ${sqlDialects.join(', ')}`, (value) => sqlDialects.some((known) => known === value)],
  holdsReferences: ['true', (value) => value === true],
}
const optional: ReadonlySet<string> = new Set<keyof Driver>([
  'accepts',
  'settings',
  'inspect',
  'embedded',
  'journals',
  'replays',
  'exclusive',
  'textCollation',
  'integersOnly',
  'sqlDialect',
  'holdsReferences',
])

/** What is wrong with the shape of a value that claims to be a driver; empty when nothing is. Total. */
export function driverDefects(value: unknown): readonly string[] {
  if (!isObject(value)) return ['it is not an object']
  try {
    return Object.entries(shape).flatMap(([member, [wanted, isFit]]) => {
      const given = value[member]
      return isFit(given) || (given === undefined && optional.has(member)) ? [] : [`"${member}" must be ${wanted}`]
    })
  } catch {
    // A member that throws when it is read.
    return ['one of its members throws when it is read']
  }
}

/** Thrown by `defineDriver`. Recognised by its name, because a plugin may carry a copy of this module. */
export class InvalidDriver extends TypeError {
  override readonly name = 'InvalidDriver'
  readonly defects: readonly string[]

  constructor(defects: readonly string[]) {
    super(`This is not a driver: ${defects.join('; ')}.`)
    this.defects = defects
  }
}

/**
 * Checks a driver's shape and returns it.
 *
 * @throws TypeError naming every defect. The contract's generation is not checked here: the registry reports it.
 */
export function defineDriver<T extends Target>(driver: Driver<T>): Driver<T> {
  const defects = driverDefects(driver)
  if (defects.length > 0) throw new InvalidDriver(defects)
  return driver
}
