import { type JsonSchema, jsonOf } from './formats.ts'
import { FlatNames } from './schema/flat-names.ts'
import type { Setting } from './setting.ts'
import { coreSettings, nest } from './settings-schema.ts'

const flatNames = new FlatNames(coreSettings)

/** The JSON Schema of a settings file, for completion and checks in editors: `config/schema.json`. */
export function jsonSchemaOfSettings(): JsonSchema {
  const named = [...coreSettings].filter(([key, { env }]) => key !== env.toLowerCase())
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Holdfast settings',
    description: 'Every setting also has a flat name (database_url) and an environment variable (DATABASE_URL).',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      ...propertiesOf([...coreSettings]),
      plugins: {
        type: 'object',
        description: 'Settings that drivers declare, by driver: {"sqlite": {...}}.',
        additionalProperties: { type: 'object' },
      },
      ...Object.fromEntries(named.map(([key, { env }]) => [env.toLowerCase(), flat(key)])),
    },
    patternProperties: otherNamesIn(''),
  }
}

/** Next to settings of the database, `host` and `port` are its own. */
function flat(key: string): JsonSchema {
  const [, part] = /^http\.(host|port)$/.exec(key) ?? []
  const own = { $ref: pointer(key) }
  return part === undefined ? own : { anyOf: [own, { $ref: pointer(`database.${part}`) }] }
}

/** Names that are accepted and that no editor should propose. */
function otherNamesIn(section: string): JsonSchema {
  const words = [...flatNames.all].flatMap((word) => [word, word.replace(`${section}_`, '')])
  const others = words.filter((word) => {
    const key = flatNames.meaning(word, section)
    const own =
      section === '' ? [key, coreSettings.get(key ?? '')?.env.toLowerCase()] : [key?.slice(section.length + 1)]
    return key !== undefined && !own.includes(word)
  })
  return others.length === 0 ? {} : { [`^(?:${[...new Set(others)].sort().join('|')})$`]: {} }
}

/** The contents of `config/default.json`: every setting with its default. */
export function defaultSettingsFile(): Record<string, unknown> {
  return { $schema: './schema.json', ...nest([...coreSettings].map(([key, setting]) => [key, setting.default])) }
}

function propertiesOf(settings: readonly (readonly [string, Setting])[]): Record<string, JsonSchema> {
  const bySection = Map.groupBy(settings, ([key]) => key.split('.', 1).join())
  return Object.fromEntries(
    [...bySection].map(([name, own]) => [
      name,
      own.length === 1 && own[0]?.[0] === name ? leaf(own[0][1]) : section(name, own),
    ]),
  )
}

function section(name: string, settings: readonly (readonly [string, Setting])[]): JsonSchema {
  const inner = settings.map(([key, setting]) => [key.slice(name.length + 1), setting] as const)
  const patternProperties = otherNamesIn(name)
  const others = Object.keys(patternProperties).length === 0 ? {} : { patternProperties }
  return { type: 'object', additionalProperties: false, properties: propertiesOf(inner), ...others }
}

function leaf(setting: Setting): JsonSchema {
  const { type, enum: words, ...rest } = jsonOf(setting)
  const orNull = setting.nullable ? [null] : []
  return {
    description: `${meaningOf(setting)} Environment: ${setting.env}.`,
    ...(type === undefined ? {} : { type: setting.nullable ? [type, 'null'].flat() : type }),
    ...(Array.isArray(words) ? { enum: [...words, ...orNull] } : {}),
    ...rest,
    default: setting.default,
  }
}

/** What a setting does, as tables and editors show it. */
export function meaningOf({ doc, restart, environmentOnly }: Setting): string {
  return `${doc}${environmentOnly ? ' Environment only.' : ''}${restart ? ' Changes need a restart.' : ''}`
}

function pointer(key: string): string {
  return `#/properties/${key.split('.').join('/properties/')}`
}
