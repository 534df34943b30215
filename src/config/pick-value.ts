import { isDeepStrictEqual } from 'node:util'
import { acceptedBy, showValue } from './formats.ts'
import type { RawValue } from './layers.ts'
import { show } from './mask.ts'
import { createProblem, formatOrigin, hiddenText, type Origin, type Problem } from './problem.ts'
import { type Reading, readValue } from './read-value.ts'
import type { Setting } from './setting.ts'

/** The value of one setting, where it came from and what was wrong. */
export interface PickedValue {
  readonly value: unknown
  readonly origin: Origin
  readonly problems: readonly Problem[]
}

/** Decides one setting from what was given for it, lowest layer first. */
export function pickValue(key: string, setting: Setting, all: readonly RawValue[]): PickedValue {
  const given = all.filter((one) => !isFromKubernetes(setting, one))
  const problems = all.filter((one) => !given.includes(one)).map((one) => foreignPort(key, one))
  const top = given.at(-1)
  let value: unknown = setting.default
  let origin: Origin = { from: 'default' }
  for (const one of given) {
    const reading = read(setting, one)
    if ('reason' in reading) {
      problems.push(invalid(key, setting, one, reading.reason, one === top ? null : (top?.origin ?? null)))
    } else if (one === top) {
      value = reading.value
      origin = one.origin
      if (reading.repair !== undefined) problems.push(repaired(key, setting, one, reading.repair))
    }
  }
  problems.push(...duplicates(key, setting, given))
  if (setting.inert && top !== undefined && !repeatsDefault(setting, top)) problems.push(inert(key, top))
  return { value, origin, problems }
}

/** True for a settings file that lists a setting with its default, as `config/default.json` does: it says nothing by it. */
export function repeatsDefault(setting: Setting, { origin, value }: RawValue): boolean {
  return origin.from === 'file' && typeof value === 'function' && isDeepStrictEqual(value(), setting.default)
}

function read(setting: Setting, given: RawValue): Reading {
  if (typeof given.value !== 'function') return given.value
  // Most of what a file lists; convict has checked it as the default.
  return repeatsDefault(setting, given)
    ? { value: setting.default }
    : readValue(setting, given.value(), given.origin.from === 'environment')
}

/** A Service named `database` makes Kubernetes set DATABASE_PORT=tcp://10.0.0.11:5432 in every container. */
function isFromKubernetes({ env }: Setting, { origin, value }: RawValue): boolean {
  if (!/(?:^|_)PORT$/.test(env) || origin.from !== 'environment' || typeof value !== 'function') return false
  return /^tcp:\/\/[^/\s]+:\d+$/.test(String(value()).trim())
}

function foreignPort(key: string, one: RawValue): Problem {
  return createProblem('KUBERNETES_PORT_IGNORED', 'info', key, {
    origin: one.origin,
    message: `${one.name} holds an address that Kubernetes sets for a Service. It is ignored.`,
    suggestion: `To set the port, give ${one.name} a number. "enableServiceLinks: false" in the pod stops Kubernetes from setting the variable.`,
  })
}

function invalid(key: string, setting: Setting, one: RawValue, reason: string, above: Origin | null): Problem {
  const instead = above === null ? defaultUsed(setting) : `Using the value from ${formatOrigin(above)}.`
  if (typeof one.value !== 'function') {
    const file = one.origin.from === 'secret-file' ? one.origin.path : hiddenText
    const isHidden = file === hiddenText
    return createProblem('FILE_UNREADABLE', 'error', key, {
      origin: one.origin,
      message: `${one.name}: the file ${isHidden ? 'that it names' : file} ${reason}. ${instead}`,
      suggestion: isHidden
        ? `Set ${one.name} to the path of a file; a value that is not a path belongs in ${setting.env}.`
        : `Make it a readable file that holds ${acceptedBy(setting)}, or remove ${one.name}.`,
    })
  }
  return createProblem('SETTING_INVALID', 'error', key, {
    origin: one.origin,
    message: `${one.name}: ${setting.sensitive ? 'the value' : show(one.value())} ${reason}. ${instead}`,
    suggestion: `Set ${one.name} to ${acceptedBy(setting)}, or remove it.`,
  })
}

function defaultUsed(setting: Setting): string {
  const { default: fallback } = setting
  return fallback === null ? 'The setting stays unset.' : `Using the default: ${showValue(setting, fallback)}.`
}

function repaired(key: string, setting: Setting, one: RawValue, repair: string): Problem {
  return createProblem('SETTING_REPAIRED', 'warning', key, {
    origin: one.origin,
    message: `${one.name} ${repair}.`,
    suggestion: `Set ${one.name} to ${acceptedBy(setting)}, without ${repair.includes('comment') ? 'the comment' : 'quotes'}.`,
  })
}

/** Two values for one setting in one place, which is never meant: both of its names in one file, or NAME next to NAME_FILE. */
function duplicates(key: string, setting: Setting, given: readonly RawValue[]): Problem[] {
  return given.slice(1).flatMap((one, index) => {
    const below = given[index]
    if (below === undefined || !isSameSource(below.origin, one.origin) || isSameValue(setting, below, one)) return []
    return createProblem('SETTING_DUPLICATE', 'warning', key, {
      origin: one.origin,
      message: `${below.name} and ${one.name} set the same setting to different values. Using ${one.name}.`,
      suggestion: `Remove one of ${below.name} and ${one.name}.`,
    })
  })
}

function isSameSource(below: Origin, above: Origin): boolean {
  if (below.from === 'environment' && above.from === 'secret-file') return true
  if (below.from === 'file' && above.from === 'file') return below.path === above.path
  return below.from === 'options' && above.from === 'options'
}

function isSameValue(setting: Setting, below: RawValue, above: RawValue): boolean {
  const readings = [read(setting, below), read(setting, above)]
  // Values that cannot be read have been reported already.
  return readings.some((reading) => 'reason' in reading) || isDeepStrictEqual(readings[0], readings[1])
}

function inert(key: string, one: RawValue): Problem {
  return createProblem('SETTING_NO_EFFECT', 'info', key, {
    origin: one.origin,
    message: `${one.name} is accepted for compatibility and has no effect.`,
    suggestion: `Remove ${one.name}.`,
  })
}
