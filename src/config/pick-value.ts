import { isDeepStrictEqual } from 'node:util'
import type { Given } from './given-value.ts'
import { formatOrigin, type Origin, type Problem } from './problem.ts'
import type { Setting } from './setting.ts'
import { show } from './show.ts'

/** The value of one setting, with its story. */
export interface Judged {
  readonly value: unknown
  readonly origin: Origin
  readonly problems: readonly Problem[]
}

/** A value that the next lower layer or the default stands in for, without blame. */
const kubernetesPort = /^tcp:\/\/[^/\s]+:\d+$/

/** Decides one setting from what was given for it, lowest layer first. */
export function judge(key: string, setting: Setting, given: readonly Given[]): Judged {
  const problems: Problem[] = []
  const usable = given.filter((one) => {
    const isForeign = isKubernetesPort(setting, one)
    if (isForeign) problems.push(foreignPort(key, one))
    return !isForeign
  })
  const top = usable.at(-1)
  let value = setting.default
  let origin: Origin = { from: 'default' }
  for (const one of usable) {
    const isTop = one === top
    const reading = read(setting, one)
    if ('reason' in reading) {
      problems.push(invalid(key, setting, one, reading.reason, isTop ? null : (top?.origin ?? null)))
    } else if (isTop) {
      value = reading.value
      origin = one.origin
      if (reading.repair !== undefined) problems.push(repaired(key, setting, one, reading.repair))
    }
  }
  problems.push(...disagreements(key, setting, usable))
  if (setting.inert !== null && top !== undefined) problems.push(...inert(key, setting, setting.inert, top))
  return { value, origin, problems }
}

function read(setting: Setting, { value }: Given): ReturnType<Setting['format']['read']> {
  return typeof value === 'function' ? setting.format.read(value()) : value
}

/** A Service named `database` makes Kubernetes set DATABASE_PORT=tcp://10.0.0.11:5432 in every container. */
function isKubernetesPort({ env }: Setting, { origin, value }: Given): boolean {
  if (!/(?:^|_)PORT$/.test(env) || origin.from !== 'environment' || typeof value !== 'function') return false
  return kubernetesPort.test(String(value()).trim())
}

function foreignPort(key: string, { name, origin }: Given): Problem {
  return {
    code: 'KUBERNETES_PORT',
    severity: 'info',
    setting: key,
    origin,
    part: null,
    message: `${name} is an address that Kubernetes sets for a Service of that name; it is not used.`,
    suggestion: `If you meant to set the port, give ${name} a number; "enableServiceLinks: false" in the pod keeps Kubernetes from setting it.`,
  }
}

function invalid(key: string, setting: Setting, one: Given, reason: string, instead: Origin | null): Problem {
  const isUnreadable = typeof one.value !== 'function'
  const subject =
    isUnreadable && one.origin.from === 'secret-file' ? `The file ${one.origin.path} (${one.name})` : one.name
  const shown = setting.secret || isUnreadable || typeof one.value !== 'function' ? '' : ` (${show(one.value())})`
  const used = instead === null ? defaultUsed(setting) : `the value of ${formatOrigin(instead)} is used`
  return {
    code: isUnreadable ? 'FILE_UNREADABLE' : 'SETTING_INVALID',
    severity: 'error',
    setting: key,
    origin: one.origin,
    part: null,
    message: `${subject}${shown} ${reason}; ${used}.`,
    suggestion: isUnreadable
      ? `Make it a readable file that holds ${setting.format.takes}, or remove ${one.name}.`
      : `Set ${one.name} to ${setting.format.takes}, or remove it.`,
  }
}

function defaultUsed({ default: fallback }: Setting): string {
  return fallback === null ? 'it is left unset' : `the default ${show(fallback)} is used`
}

function repaired(key: string, setting: Setting, one: Given, repair: string): Problem {
  return {
    code: 'SETTING_REPAIRED',
    severity: 'warning',
    setting: key,
    origin: one.origin,
    part: null,
    message: `${one.name} ${repair}.`,
    suggestion: `Write ${one.name} as ${setting.format.takes}, without them.`,
  }
}

/** Two values for one setting at one place, which is never meant: both names of it in one file, or NAME beside NAME_FILE. */
function disagreements(key: string, setting: Setting, given: readonly Given[]): Problem[] {
  return given.slice(1).flatMap((one, index) => {
    const below = given[index]
    if (below === undefined || !isSamePlace(below.origin, one.origin) || isSameValue(setting, below, one)) return []
    return [
      {
        code: 'SETTING_TWICE',
        severity: 'warning',
        setting: key,
        origin: one.origin,
        part: null,
        message: `${below.name} and ${one.name} give different values for one setting; that of ${one.name} is used.`,
        suggestion: `Remove one of ${below.name} and ${one.name}.`,
      },
    ]
  })
}

function isSamePlace(below: Origin, above: Origin): boolean {
  if (below.from === 'environment' && above.from === 'secret-file') return true
  if (below.from === 'file' && above.from === 'file') return below.path === above.path
  return below.from === 'options' && above.from === 'options'
}

function isSameValue(setting: Setting, below: Given, above: Given): boolean {
  const readings = [read(setting, below), read(setting, above)]
  // What cannot be read has been reported already.
  return readings.some((reading) => 'reason' in reading) || isDeepStrictEqual(readings[0], readings[1])
}

function inert(key: string, setting: Setting, why: string, top: Given): Problem[] {
  // A settings file that lists every setting with its default says nothing by it.
  if (top.origin.from === 'file' && isDeepStrictEqual(read(setting, top), { value: setting.default })) return []
  return [
    {
      code: 'SETTING_INERT',
      severity: 'info',
      setting: key,
      origin: top.origin,
      part: null,
      message: `${top.name} is taken for compatibility and changes nothing: ${why}.`,
      suggestion: `Remove ${top.name}.`,
    },
  ]
}
