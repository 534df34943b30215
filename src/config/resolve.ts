import { isDeepStrictEqual } from 'node:util'
import { type Declarations, driverSettings } from './driver-settings.ts'
import { gather, misspeltNames, unreadNames } from './gather.ts'
import type { Layers, RawValue } from './layers.ts'
import { settingHoldsCredentials } from './mask.ts'
import { type PickedValue, pickValue, repeatsDefault } from './pick-value.ts'
import { hiddenText, type Origin, type Problem } from './problem.ts'
import { coreSchema } from './schema/schema.ts'
import { Secret, SecretAddress } from './secret.ts'
import type { SchemaTree, Setting } from './setting.ts'
import type { ResolvedSettings, SettingLine, Settings } from './settings.ts'
import { type ConvictConfig, coreSettings, createConfig, nest, type SettingMap, settingsIn } from './settings-schema.ts'

/**
 * The settings that follow from the layers: the highest layer that gives a value decides; when that value is bad, the
 * safe default is used and a problem says so. Never throws.
 *
 * Without `declarations` (the drivers are not loaded yet) `plugins` is empty, and neither what files set there nor variables
 * that belong to no setting are reported: the next resolution, with drivers, reports them.
 */
export function resolveSettings(layers: Layers, declarations?: Declarations): ResolvedSettings {
  const drivers = Object.keys(declarations ?? {})
  const own = driverSettings(
    declarations ?? {},
    [...coreSettings.values()].map(({ env }) => env),
  )
  // Drivers' settings are plain data and stand in convict's schema next to those of the core.
  const config = createConfig({ ...coreSchema, ...(nest(own.settings) as SchemaTree) })
  const settings = settingsIn(config)
  const { given, problems } = gather(layers, settings, declarations === undefined ? null : drivers)
  const byKey = Map.groupBy(given, (one) => one.key)
  const picked = new Map([...settings].map(([key, setting]) => [key, pickValue(key, setting, byKey.get(key) ?? [])]))
  config.load(nest([...picked].map(([key, { value }]) => [key, value])))
  const { names } = layers.environment
  const all = [
    ...own.problems,
    ...problems,
    ...[...picked.values()].flatMap((one) => one.problems),
    ...(declarations === undefined ? [] : [...unreadNames(names), ...misspeltNames(names, settings)]),
  ]
  const isFileHidden = layers.files.some(({ origin }) => origin.from === 'file' && origin.path === hiddenText)
  return new Resolution(config, settings, drivers, picked, byKey, all, isFileHidden ? ['config.file'] : [])
}

class Resolution implements ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  readonly #config: ConvictConfig
  readonly #schema: SettingMap
  readonly #picked: ReadonlyMap<string, PickedValue>
  readonly #given: ReadonlyMap<string, readonly RawValue[]>
  /** Settings whose values are not shown: a path that does not look like one. */
  readonly #hidden: ReadonlySet<string>

  constructor(
    config: ConvictConfig,
    schema: SettingMap,
    drivers: readonly string[],
    picked: ReadonlyMap<string, PickedValue>,
    given: ReadonlyMap<string, readonly RawValue[]>,
    problems: readonly Problem[],
    hidden: readonly string[],
  ) {
    this.#config = config
    this.#schema = schema
    this.#picked = picked
    this.#given = given
    this.#hidden = new Set(hidden)
    this.problems = problems
    this.settings = this.#values(drivers)
  }

  originOf(key: string): Origin {
    return this.#picked.get(key)?.origin ?? { from: 'default' }
  }

  isSet(key: string): boolean {
    const top = this.#given.get(key)?.at(-1)
    const setting = this.#schema.get(key)
    if (top === undefined || setting === undefined) return false
    return typeof top.value !== 'function' || (top.value() !== null && !repeatsDefault(setting, top))
  }

  lines(): readonly SettingLine[] {
    const masked: object = JSON.parse(this.#config.toString())
    const secrets = [...this.#schema].flatMap(([name, { sensitive }]) => {
      const value = sensitive ? this.#config.get(name) : null
      return typeof value === 'string' && value.length >= secretMinLength ? [value] : []
    })
    return [...this.#schema].map(([name, setting]) => {
      const shown = this.#isShown(name, setting) ? this.#config.get(name) : memberAt(masked, name)
      const isSecret = typeof shown === 'string' && !setting.sensitive && secrets.some((one) => shown.includes(one))
      const isHidden =
        shown === convictMask || isSecret || settingHoldsCredentials(name, shown) || this.#hidden.has(name)
      return { name, value: isHidden ? hiddenText : shown, origin: this.originOf(name) }
    })
  }

  /** Convict masks every sensitive setting, also one that is unset or at its default, which documentation shows. */
  #isShown(key: string, setting: Setting): boolean {
    const value: unknown = this.#config.get(key)
    return setting.sensitive === true && (value === null || isDeepStrictEqual(value, setting.default))
  }

  #values(drivers: readonly string[]): Settings {
    const values = [...this.#schema].map(([key, setting]): [string, unknown] => {
      const value: unknown = this.#config.get(key)
      return [key, setting.sensitive && value !== null ? secretOf(setting, String(value)) : value]
    })
    const { plugins, ...core } = nest(values)
    const empty = Object.fromEntries(drivers.map((name) => [name, {}]))
    // `Settings` is derived from the schema that convict was given.
    return freeze({ ...core, plugins: { ...empty, ...(plugins as object | undefined) } }) as unknown as Settings
  }
}

/** Shorter secrets are in every text. */
const secretMinLength = 4

/** What `toString()` of convict puts in the place of a sensitive value. */
const convictMask = '[Sensitive]'

function memberAt(node: object, key: string): unknown {
  return key.split('.').reduce<unknown>((inner, name) => Reflect.get(Object(inner), name), node)
}

function secretOf({ format }: Setting, value: string): Secret {
  return format === 'holdfast:address' ? new SecretAddress(value) : new Secret(value)
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Secret)) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
