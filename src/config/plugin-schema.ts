import type { SettingDeclaration, SettingDeclarations } from './declarations.ts'
import { choice, type Format, flag, optional, text, verbatim } from './format.ts'
import type { Problem } from './problem.ts'
import { bytes, milliseconds, seconds, whole } from './quantity.ts'
import type { Setting } from './setting.ts'

/** What drivers declared, by driver name. */
export type Declarations = Readonly<Record<string, SettingDeclarations>>

/** A year: no time that a driver waits for is longer. */
const longestS = 365 * 86_400

/** The settings of drivers under `plugins.<driver>.<key>`. A declaration that is wrong is left out and reported; so is an environment name that is taken. */
export function pluginSchema(
  declarations: Declarations,
  taken: ReadonlySet<string>,
): { settings: Map<string, Setting>; problems: Problem[] } {
  const settings = new Map<string, Setting>()
  const problems: Problem[] = []
  const names = new Set(taken)
  for (const [driver, declared] of Object.entries(declarations)) {
    for (const [key, declaration] of Object.entries(declared)) {
      const path = `plugins.${driver}.${key}`
      const setting = settingOf(driver, key, declaration)
      if (typeof setting === 'string') {
        problems.push(wrongDeclaration(path, setting))
      } else if (names.has(setting.env)) {
        problems.push(takenName(path, setting.env))
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
  if (!/^[a-z][a-z0-9-]*$/.test(driver) || driver === 'default' || driver === 'constructor')
    return 'the name of the driver'
  // `default` is how convict knows a setting from a section; the others are names that every object has.
  if (!/^[a-z][A-Za-z0-9]*$/.test(key) || key === 'default' || key === 'constructor') return 'the key'
  if (!/^[A-Z][A-Z0-9_]*$/.test(String(declaration.env))) return '"env"'
  const format = formatOf(key, declaration)
  if (format === null) return '"format"'
  const reading = format.read(declaration.default)
  if ('reason' in reading) return `"default", which ${reading.reason}`
  return {
    doc: String(declaration.doc),
    format,
    default: reading.value,
    env: declaration.env,
    secret: declaration.secret === true,
    isAddress: false,
    environmentOnly: false,
    inert: null,
  }
}

function formatOf(key: string, declaration: SettingDeclaration): Format<unknown> | null {
  const format = formatNamed(key, declaration)
  return format !== null && declaration.default === null ? optional(format) : format
}

function formatNamed(key: string, { format, secret }: SettingDeclaration): Format<unknown> | null {
  if (Array.isArray(format)) return format.every((entry) => typeof entry === 'string') ? choice(format) : null
  switch (format) {
    case 'string':
      return secret === true ? verbatim() : text()
    case 'boolean':
      return flag()
    case 'natural':
      return whole({ min: 0, max: Number.MAX_SAFE_INTEGER })
    case 'duration':
      return key.endsWith('Ms') ? milliseconds({ min: 0, max: longestS * 1000 }) : seconds({ min: 0, max: longestS })
    case 'bytes':
      return bytes({ min: 0, max: Number.MAX_SAFE_INTEGER })
    default:
      return null
  }
}

function wrongDeclaration(setting: string, what: string): Problem {
  return {
    code: 'DECLARATION_INVALID',
    severity: 'error',
    setting,
    origin: null,
    part: null,
    message: `The driver declares the setting ${setting} wrongly: ${what}. The setting is left out.`,
    suggestion: 'Correct the declaration in the driver: plugins/README.md says what it takes.',
  }
}

function takenName(setting: string, env: string): Problem {
  return {
    code: 'SETTING_ENV_TAKEN',
    severity: 'error',
    setting,
    origin: null,
    part: null,
    message: `The driver declares the environment name ${env} for ${setting}, but another setting has it already.`,
    suggestion: `Set ${setting} in a settings file, or give it another environment name in the driver.`,
  }
}
