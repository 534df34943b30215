import type { Setting } from './setting.ts'

/** Settings by key (`database.url`), in the schema's order. */
export type FlatSchema = ReadonlyMap<string, Setting>

/** The settings of a nested schema, by key. */
export function flatten(schema: object, prefix = ''): Map<string, Setting> {
  const flat = new Map<string, Setting>()
  for (const [name, node] of Object.entries(schema)) {
    if (isSetting(node)) flat.set(prefix + name, node)
    else for (const [key, setting] of flatten(node, `${prefix}${name}.`)) flat.set(key, setting)
  }
  return flat
}

/** A nested object of the values, keys being taken apart at their dots. Keys come from a schema, never from outside. */
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

// A section may have a key called `format` (log.format), but only a setting has an environment name as text.
function isSetting(node: unknown): node is Setting {
  return typeof node === 'object' && node !== null && 'env' in node && typeof node.env === 'string'
}
