import { isDeepStrictEqual } from 'node:util'
import convict from 'convict'
import { misspeltNames } from './environment.ts'
import { type FlatSchema, flatten, nest } from './flat.ts'
import { gather } from './given.ts'
import type { Given } from './given-value.ts'
import type { Layers } from './layers.ts'
import { type Judged, judge } from './pick-value.ts'
import { type Declarations, pluginSchema } from './plugin-schema.ts'
import type { Origin, Problem } from './problem.ts'
import { coreSchema } from './schema.ts'
import { Secret, SecretAddress } from './secret.ts'
import type { Setting } from './setting.ts'
import type { ResolvedSettings, SettingLine, Settings } from './settings.ts'
import { maskCredentials } from './show.ts'

const core = flatten(coreSchema)

/**
 * The settings that follow from the layers: the highest layer that gives a value decides; when that value is bad the
 * schema's safe default is used, and a problem says so. Never throws.
 *
 * Without `declarations` (the drivers are not loaded yet) `plugins` is empty and nothing is said about what files
 * write there.
 */
export function resolveSettings(layers: Layers, declarations?: Declarations): ResolvedSettings {
  const plugins = pluginSchema(declarations ?? {}, new Set([...core.values()].map((setting) => setting.env)))
  const schema: FlatSchema = new Map([...core, ...plugins.settings])
  const { given, problems } = gather(layers, schema, declarations === undefined ? null : Object.keys(declarations))
  const byKey = Map.groupBy(given, (one) => one.key)
  const judged = new Map<string, Judged>()
  for (const [key, setting] of schema) judged.set(key, judge(key, setting, byKey.get(key) ?? []))
  const envNames = [...schema.values()].map((setting) => setting.env).filter((name) => name !== '')
  return new Resolution(schema, Object.keys(declarations ?? {}), judged, byKey, [
    ...plugins.problems,
    ...problems,
    ...[...judged.values()].flatMap((one) => one.problems),
    ...misspeltNames(layers.environment.names, envNames.concat(secretFileNames(schema))),
  ])
}

class Resolution implements ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  readonly #schema: FlatSchema
  readonly #judged: ReadonlyMap<string, Judged>
  readonly #given: ReadonlyMap<string, readonly Given[]>

  constructor(
    schema: FlatSchema,
    drivers: readonly string[],
    judged: ReadonlyMap<string, Judged>,
    given: ReadonlyMap<string, readonly Given[]>,
    problems: readonly Problem[],
  ) {
    this.#schema = schema
    this.#judged = judged
    this.#given = given
    this.problems = problems
    this.settings = assemble(schema, judged, drivers)
  }

  originOf(key: string): Origin {
    return this.#judged.get(key)?.origin ?? { from: 'default' }
  }

  isGiven(key: string): boolean {
    const top = this.#given.get(key)?.at(-1)
    if (top === undefined) return false
    if (typeof top.value !== 'function') return true
    const value = top.value()
    // A settings file that lists every setting with its default says nothing by it.
    const isRepetition = top.origin.from === 'file' && isDeepStrictEqual(value, this.#schema.get(key)?.default)
    return value !== null && !isRepetition
  }

  lines(): readonly SettingLine[] {
    return [...this.#schema].map(([name, setting]) => ({
      name,
      value: this.#shown(name, setting),
      origin: this.originOf(name),
    }))
  }

  /** A secret that is the default is in the documentation, and is shown. */
  #shown(key: string, setting: Setting): unknown {
    const value = this.#judged.get(key)?.value ?? null
    return setting.secret && value !== null && !isDeepStrictEqual(value, setting.default)
      ? '***'
      : maskCredentials(value)
  }
}

/** Convict holds the values and checks each against its declaration once more: what leaves here is valid. */
function assemble(schema: FlatSchema, judged: ReadonlyMap<string, Judged>, drivers: readonly string[]): Settings {
  // Convict's type wants to know the keys while it is compiled; drivers bring theirs while it runs.
  const definition = nest([...schema].map(([key, setting]) => [key, convictLeaf(setting)])) as convict.Schema<
    Record<string, unknown>
  >
  // An environment and arguments of nobody: convict would read the process's own, above our layers.
  const config = convict(definition, { env: {}, args: [] })
  config.load(nest([...judged].map(([key, { value }]) => [key, value])))
  config.validate({ allowed: 'strict' })
  const values = [...schema].map(([key, setting]): [string, unknown] => {
    const value: unknown = config.get(key)
    return [key, setting.secret && value !== null ? hidden(setting, String(value)) : value]
  })
  const settings = nest(values)
  const plugins = {
    ...Object.fromEntries(drivers.map((name) => [name, {}])),
    ...(settings.plugins as object | undefined),
  }
  // `SchemaOf<Settings>` holds the schema to this type, key by key.
  return freeze({ ...settings, plugins }) as unknown as Settings
}

function hidden({ isAddress }: Setting, value: string): Secret {
  return isAddress ? new SecretAddress(value) : new Secret(value)
}

function convictLeaf({ doc, format, default: fallback, env, secret }: Setting): object {
  const check = (value: unknown): void => {
    const reading = format.read(value)
    if ('reason' in reading) throw new TypeError(reading.reason)
  }
  // Convict reads text by the type of the default where it has no format of that name; given a function it does not.
  return { doc, format: check, default: fallback, env, sensitive: secret }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Secret)) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}

function secretFileNames(schema: FlatSchema): string[] {
  return [...schema.values()].filter((one) => one.secret && one.env !== '').map((one) => `${one.env}_FILE`)
}
