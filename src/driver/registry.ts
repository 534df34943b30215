import { createProblem, type Origin, type Problem } from '../config/problem.ts'
import type { DriverProblemCode } from './codes.ts'
import { contractGeneration, driverDefects } from './define-driver.ts'
import type { Driver } from './driver.ts'

/** Where a plugin came from, for the problem that may arise. */
export interface DriverSource {
  /** As it was given: a name, a path, or `given in code`. */
  readonly given: string
  /** Of the setting `drivers`. */
  readonly origin: Origin | null
}

const inCode: DriverSource = { given: 'given in code', origin: { from: 'options' } }

/** Every driver of this process, found by name and by scheme. Nothing in it collides. */
export class DriverRegistry {
  readonly #drivers = new Map<string, Driver>()

  /** Adds a driver, or returns why not and changes nothing. Never throws, whatever it is given. */
  register(value: unknown, source: DriverSource = inCode): Problem | null {
    const defects = driverDefects(value)
    const generation = generationOf(value)
    if (generation !== null && generation !== contractGeneration) return contractProblem(source, generation)
    if (defects.length > 0) return invalidDriver(source, defects)
    const driver = value as Driver // Its shape has been checked above, as far as a shape can be.
    const collision = this.#collision(driver, source)
    if (collision === null) this.#drivers.set(driver.name, driver)
    return collision
  }

  /** In the order of registration. */
  get all(): readonly Driver[] {
    return [...this.#drivers.values()]
  }

  byName(name: string): Driver | null {
    return this.#drivers.get(name.toLowerCase()) ?? null
  }

  /** The driver with this scheme, in any case. */
  byScheme(scheme: string): Driver | null {
    const wanted = scheme.toLowerCase()
    return this.all.find((driver) => driver.schemes.includes(wanted)) ?? null
  }

  /** The driver of this name, when the scheme is its own or one of others that it accepts. */
  accepting(scheme: string, name: string): Driver | null {
    const driver = this.byName(name)
    const wanted = scheme.toLowerCase()
    const serves = driver?.schemes.includes(wanted) || driver?.accepts?.includes(wanted)
    return serves ? driver : null
  }

  #collision(driver: Driver, source: DriverSource): Problem | null {
    if (this.#drivers.has(driver.name)) {
      const why = `is a second driver with the name "${driver.name}"`
      return refusal(source, 'DRIVER_NAME_TAKEN', why, 'Remove one of the two from DRIVERS.')
    }
    for (const other of this.all) {
      const scheme = driver.schemes.find((word) => other.schemes.includes(word))
      if (scheme !== undefined) {
        const why = `claims the scheme "${scheme}", which belongs to the driver "${other.name}"`
        const remedy = 'Remove one of the two from DRIVERS; a driver may list the schemes of others under "accepts".'
        return refusal(source, 'DRIVER_SCHEME_TAKEN', why, remedy)
      }
      if (driver.exclusive !== undefined && driver.exclusive === other.exclusive) {
        const why = `contains a second "${driver.exclusive}" next to the driver "${other.name}": two builds of it in one process damage the files that they share`
        return refusal(source, 'DRIVER_EXCLUSIVE_TAKEN', why, 'Remove one of the two from DRIVERS.')
      }
    }
    return null
  }
}

const guide = 'Compare it with plugins/README.md, which explains how to write a driver.'

/** The problem of a value that claims to be a driver and is not. */
export function invalidDriver(source: DriverSource, defects: readonly string[]): Problem {
  return refusal(source, 'DRIVER_INVALID', `is not a driver: ${defects.join('; ')}`, guide)
}

/** A problem with one plugin; `why` continues the sentence "The plugin "x" ...". */
export function refusal(source: DriverSource, code: DriverProblemCode, why: string, suggestion: string): Problem {
  const message = `The plugin "${source.given}" ${why}.`
  return createProblem(code, 'error', 'drivers', { origin: source.origin, part: source.given, message, suggestion })
}

function contractProblem(source: DriverSource, generation: number): Problem {
  const why = `uses generation ${generation} of the driver contract; this release supports ${contractGeneration}`
  const older = generation < contractGeneration
  const remedy = older ? 'Install a newer version of the plugin.' : 'Install a newer Holdfast, or an older plugin.'
  return refusal(source, 'DRIVER_CONTRACT_UNSUPPORTED', why, remedy)
}

/** A driver of another generation may have another shape, so its generation is checked first. */
function generationOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null) return null
  try {
    const { contract } = value as { contract?: unknown } // Read once, as whatever it is.
    return typeof contract === 'number' ? contract : null
  } catch {
    return null
  }
}
