import convict from 'convict'
import { formats } from './formats.ts'
import { coreSchema } from './schema/schema.ts'
import type { SchemaTree, Setting } from './setting.ts'

/** Every setting by its key (`database.url`), in the schema's order. */
export type SettingMap = ReadonlyMap<string, Setting>

/** Values as convict holds them. */
export type ConvictConfig = convict.Config<Record<string, unknown>>

for (const [name, { coerce, faultOf }] of Object.entries(formats)) {
  const validate = (value: unknown, setting: object): void => {
    const fault = faultOf(value, setting)
    if (fault !== null) throw new TypeError(fault)
  }
  // Convict hands over more than the text.
  convict.addFormat({ name, validate, ...(coerce && { coerce: (text: string) => coerce(text) }) })
}

/** Every setting at its default. It sees no environment and no arguments: convict would put the process's own above our layers. */
export function createConfig(schema: SchemaTree): ConvictConfig {
  // Convict's type wants to know the keys at compile time; drivers add theirs at run time.
  return convict(schema as convict.Schema<Record<string, unknown>>, { env: {}, args: [] })
}

/** The settings that convict has, as it has them. */
export function settingsIn(config: ConvictConfig): SettingMap {
  const settings = new Map<string, Setting>()
  const collect = (node: SchemaNode, key: string): void => {
    if (!('_cvtProperties' in node)) settings.set(key, node)
    else for (const [name, inner] of Object.entries(node._cvtProperties)) collect(inner, key ? `${key}.${name}` : name)
  }
  // Convict's type for it knows the defaults only; the rest of a declaration comes back as it was given.
  collect(config.getSchema() as unknown as SchemaNode, '')
  return settings
}

type SchemaNode = Setting | { readonly _cvtProperties: Readonly<Record<string, SchemaNode>> }

/** The settings of the core; those of drivers join when the drivers are loaded. */
export const coreSettings: SettingMap = settingsIn(createConfig(coreSchema))

/** A nested object of the values, keys being split at their dots. Keys come from a schema, never from outside. */
export function nest(values: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of values) {
    const names = key.split('.')
    const last = names.pop() ?? ''
    let node = root
    for (const name of names) {
      node[name] ??= {}
      // Every inner node was made by the line above.
      node = node[name] as Record<string, unknown>
    }
    node[last] = value
  }
  return root
}
