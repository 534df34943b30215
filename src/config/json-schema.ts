import { flatten, nest } from './flat.ts'
import type { JsonSchema } from './json-schema-type.ts'
import { coreSchema } from './schema.ts'
import type { Setting } from './setting.ts'

/** The JSON Schema of a settings file, from which editors complete and check it: `config/schema.json`. */
export function jsonSchemaOfSettings(): JsonSchema {
  const flat = [...flatten(coreSchema)]
  const flatNames = flat.filter(([key, { env }]) => key !== env.toLowerCase())
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Holdfast settings',
    description:
      'Every setting may also be given by its flat name (database_url) or in the environment (DATABASE_URL).',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      ...sections(coreSchema),
      plugins: {
        type: 'object',
        description: 'Settings that drivers declare, by driver: {"sqlite": {...}}.',
        additionalProperties: { type: 'object' },
      },
      ...Object.fromEntries(flatNames.map(([key, { env }]) => [env.toLowerCase(), { $ref: pointer(key) }])),
    },
  }
}

/** What `config/default.json` holds: every setting with its safe value. */
export function defaultSettingsFile(): Record<string, unknown> {
  const values = [...flatten(coreSchema)].map(([key, setting]): [string, unknown] => [key, setting.default])
  return { $schema: './schema.json', ...nest(values) }
}

function sections(node: object): Record<string, JsonSchema> {
  const entries = Object.entries(node).map(([name, inner]): [string, JsonSchema] => {
    const setting = flatten({ [name]: inner }).get(name)
    return [name, setting === undefined ? section(inner) : leaf(setting)]
  })
  return Object.fromEntries(entries)
}

function section(node: object): JsonSchema {
  return { type: 'object', additionalProperties: false, properties: sections(node) }
}

function leaf({ doc, env, format, default: fallback, environmentOnly, inert }: Setting): JsonSchema {
  const remarks = [
    doc,
    `Environment: ${env}${environmentOnly ? ', and only there' : ''}.`,
    ...(inert === null ? [] : [`Changes nothing: ${inert}.`]),
  ]
  return { description: remarks.join(' '), ...format.json, default: fallback }
}

function pointer(key: string): string {
  return `#/properties/${key.split('.').join('/properties/')}`
}
