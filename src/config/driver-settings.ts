import { createProblem, type Problem } from './problem.ts'
import { readValue } from './read-value.ts'
import type { ItemFormat, Setting } from './setting.ts'

/** A driver's own settings, by key: `sync` becomes `plugins.sqlite.sync`. Plain data. */
export type SettingDeclarations = Readonly<Record<string, SettingDeclaration>>

/** One setting of a driver, in convict's form. */
export interface SettingDeclaration {
  readonly doc: string
  /** A list of words, or one of these formats. `pem`: the path of a certificate or key, or its PEM text; always sensitive. A plain number of a `duration` is in milliseconds where the key ends in `Ms`, else in seconds. */
  readonly format: readonly string[] | 'string' | 'boolean' | 'natural' | 'duration' | 'bytes' | 'pem'
  /** Null: the setting may be absent. */
  readonly default: string | number | boolean | null
  /** Environment variable, in capitals, beginning with the driver's name. */
  readonly env: string
  /** True: it is resolved as a `Secret` and never shown. */
  readonly sensitive?: boolean
}

/** What drivers declared, by driver name. */
export type Declarations = Readonly<Record<string, SettingDeclarations>>

const yearS = 365 * 86_400

/**
 * The settings of drivers under `plugins.<driver>.<key>`, for convict's schema. An invalid declaration is left out and
 * reported; so is an environment variable that is taken.
 */
export function driverSettings(
  declarations: Declarations,
  taken: Iterable<string>,
): { settings: ReadonlyMap<string, Setting>; problems: Problem[] } {
  const settings = new Map<string, Setting>()
  const problems: Problem[] = []
  const names = new Set(taken)
  for (const [driver, declared] of Object.entries(declarations)) {
    for (const [key, declaration] of Object.entries(declared)) {
      const path = `plugins.${driver}.${key}`
      const setting = settingOf(driver, key, declaration)
      if (typeof setting === 'string') {
        problems.push(invalidDeclaration(path, setting))
      } else if (names.has(setting.env)) {
        problems.push(takenVariable(path, setting.env))
        settings.set(path, { ...setting, env: '' })
      } else {
        names.add(setting.env)
        settings.set(path, setting)
      }
    }
  }
  return { settings, problems }
}

/** The setting, or what is wrong with its declaration: drivers are other people's code. */
function settingOf(driver: string, key: string, declaration: SettingDeclaration): Setting | string {
  if (Object(declaration) !== declaration) return 'it is not an object'
  if (!/^[a-z][a-z0-9-]*$/.test(driver) || driver === 'default' || driver === 'constructor')
    return "the driver's name is not a valid key"
  // To convict, a section with a member `default` is a setting; every object has a `constructor`.
  if (!/^[a-z][A-Za-z0-9]*$/.test(key) || key === 'default' || key === 'constructor') return 'the key is not valid'
  if (!/^[A-Z][A-Z0-9_]*$/.test(String(declaration.env))) return '"env" is not a name in capitals'
  const format = formatFor(key, declaration)
  if (format === null) return 'its "format" does not exist'
  const { doc, default: fallback, env, sensitive } = declaration
  const nullable = fallback === null
  const setting = {
    ...format,
    doc: String(doc),
    default: fallback,
    env,
    nullable,
    sensitive: sensitive === true || format.format === 'holdfast:pem',
  }
  const reading = readValue(setting, fallback)
  if ('reason' in reading) return `its "default" ${reading.reason}`
  // What was read of a declared default is of its type again.
  return { ...setting, default: reading.value as Setting['default'] }
}

function formatFor(key: string, { format, sensitive }: SettingDeclaration): ItemFormat | null {
  if (Array.isArray(format)) return format.every((word) => typeof word === 'string') ? { format } : null
  switch (format) {
    case 'string':
      return { format: sensitive === true ? 'holdfast:verbatim' : 'holdfast:text' }
    case 'pem':
      return { format: 'holdfast:pem' }
    case 'boolean':
      return { format: 'holdfast:boolean' }
    case 'natural':
      return { format: 'holdfast:integer', min: 0, max: Number.MAX_SAFE_INTEGER }
    case 'duration':
      return key.endsWith('Ms')
        ? { format: 'holdfast:milliseconds', min: 0, max: yearS * 1000 }
        : { format: 'holdfast:seconds', min: 0, max: yearS }
    case 'bytes':
      return { format: 'holdfast:bytes', min: 0, max: Number.MAX_SAFE_INTEGER }
    default:
      return null
  }
}

function invalidDeclaration(setting: string, what: string): Problem {
  const message = `The driver declares ${setting}, but ${what}. The setting is left out.`
  const suggestion = 'Correct the declaration in the driver; plugins/README.md describes the form.'
  return createProblem('SETTING_DECLARATION_INVALID', 'error', setting, { message, suggestion })
}

function takenVariable(setting: string, env: string): Problem {
  const message = `The driver declares the environment variable ${env} for ${setting}, but another setting has it.`
  const suggestion = `Set ${setting} in a settings file, or declare another environment variable in the driver.`
  return createProblem('SETTING_ENV_TAKEN', 'error', setting, { message, suggestion })
}
