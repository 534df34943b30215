import { acceptedBy, formatOf, withoutLeftovers, withoutQuotes } from './formats.ts'
import { apiTokensFault, readApiTokens } from './schema/api-token.ts'
import type { ItemFormat, Setting } from './setting.ts'
import { createConfig } from './settings-schema.ts'

/** The result of reading a value: usable (perhaps after a repair), or the reason why it is not. */
export type Reading = { readonly value: unknown; readonly repair?: string } | { readonly reason: string }

/**
 * Reads what a file, the environment or code gave for a setting; a value that was read before reads as itself. Never
 * throws; a reason never holds the value.
 *
 * `isFromEnvironment`: what the parsers of env files leave around it is removed from verbatim text, too.
 *
 * Convict coerces and validates the value in a configuration of this one setting, and its error is dropped: `validate`
 * throws one for all settings, whose text holds the value of every setting that is not sensitive.
 */
export function readValue(setting: Setting, given: unknown, isFromEnvironment = false): Reading {
  const prepared = prepare(setting, given, isFromEnvironment)
  if ('reason' in prepared) return prepared
  const config = createConfig({ value: { ...setting, sensitive: true } })
  config.set('value', prepared.value)
  const value = config.get('value')
  try {
    config.validate({ allowed: 'strict' })
  } catch {
    return { reason: formatOf(setting).faultOf(value, setting) ?? `is not ${acceptedBy(setting)}` }
  }
  return { ...prepared, value }
}

/** Does what convict cannot, before it sees the value; each branch says what that is. */
function prepare(setting: Setting, given: unknown, isFromEnvironment: boolean): Reading {
  const format = formatOf(setting)
  if (given === null && setting.nullable) return { value: null }
  // Its coercions do not know whether a setting is nullable.
  if (setting.nullable && !format.isVerbatim && typeof given === 'string' && given.trim() === '') return { value: null }
  if (setting.of !== undefined) return listOf(given, setting.of)
  // It coerces text only; an address that is none must still count as declared.
  if (setting.format === 'holdfast:address') return { value: textOf(given) }
  // It checks no entries of an array.
  if (setting.format === 'holdfast:api-tokens') return tokensOf(given)
  // It reads the members of an object as further settings, and never returns from a cycle.
  if (typeof given === 'object' && given !== null) return { reason: format.faultOf(given, setting) ?? 'is an object' }
  if (setting.format === 'holdfast:verbatim' && isFromEnvironment && typeof given === 'string') {
    return repairedText(given, withoutQuotes(given))
  }
  const prepared = prepareItem(setting, given)
  return setting.nullable && !format.isVerbatim && prepared.value === '' ? { value: null } : prepared
}

function listOf(given: unknown, item: ItemFormat): Reading {
  if (typeof given !== 'string') return { value: entriesOf(given, item) }
  const { value, ...more } = repairedText(given.trim(), withoutLeftovers(given))
  return { value: entriesOf(value, item), ...more }
}

function tokensOf(given: unknown): Reading {
  const list = typeof given === 'string' ? readApiTokens(withoutQuotes(given.trim())) : given
  const reason = apiTokensFault(list)
  return reason === null ? { value: list } : { reason }
}

/** It coerces no entries of an array. */
function entriesOf(given: unknown, item: ItemFormat): unknown {
  const entries = typeof given === 'string' ? given.split(',').filter((entry) => entry.trim() !== '') : given
  if (!Array.isArray(entries)) return null
  const values = entries.map((entry) => {
    const { value } = prepareItem(item, entry)
    return typeof value === 'string' ? (formatOf(item).coerce?.(value) ?? value) : value
  })
  return [...new Set(values)]
}

function prepareItem(item: ItemFormat, given: unknown): { value: unknown; repair?: string } {
  if (typeof given === 'number') return { value: item.format === 'holdfast:boolean' ? `${given}` : given + 0 }
  const format = formatOf(item)
  if (typeof given !== 'string' || format.isVerbatim) return { value: given }
  const { value, ...more } = repairedText(given.trim(), withoutLeftovers(given))
  // It compares words letter by letter and coerces none.
  return { value: typeof item.format === 'string' ? value : format.coerce?.(value), ...more }
}

/** It has no way to report a repair. */
function repairedText(given: string, value: string): { value: string; repair?: string } {
  if (value === given) return { value }
  const what = /^["']/.test(given) ? 'quotes around it, which were' : 'a comment behind it, which was'
  return { value, repair: `has ${what} removed` }
}

function textOf(given: unknown): string {
  if (typeof given === 'string') return given
  try {
    return JSON.stringify(given) ?? String(given)
  } catch {
    // A cycle, a bigint.
    return `(${typeof given})`
  }
}
