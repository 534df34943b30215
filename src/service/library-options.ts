import { show } from '../config/mask.ts'
import { nearest } from '../config/nearest.ts'
import { createProblem, type Problem } from '../config/problem.ts'
import { Secret } from '../config/secret.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import type { HoldfastOptions } from './holdfast.ts'

const optionNames: Readonly<Record<keyof HoldfastOptions, true>> = {
  settings: true,
  drivers: true,
  entities: true,
  copyEntities: true,
  collections: true,
  routes: true,
  observe: true,
}

/** Reports what plain JavaScript passes and is not an option: a misspelt name, or a setting outside `settings`. */
export function findUnknownOptions(options: HoldfastOptions): readonly Problem[] {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(optionNames, name))
  return unknown.map((name) => {
    const near = nearest(name, Object.keys(optionNames))
    return createProblem('SETTING_UNKNOWN', 'error', near ?? 'settings', {
      origin: { from: 'options' },
      message: `${show(name)} is not an option of createHoldfast. It is ignored.`,
      suggestion: near === null ? 'If it is a setting, pass it in "settings".' : `Did you mean "${near}"?`,
    })
  })
}

/** The token given in code. Without one the admin endpoints stay locked: a library would have to write a generated one down. */
export function libraryToken(given: Secret | null): AdminToken {
  if (given !== null) return { token: given, source: { from: 'setting' }, problems: [] }
  return { token: new Secret(crypto.randomUUID() + crypto.randomUUID()), source: { from: 'memory' }, problems: [] }
}
