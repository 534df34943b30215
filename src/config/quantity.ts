import { type Format, type Reading, unquoted } from './format.ts'

/** Bounds of a number, both inclusive. */
export interface Range {
  readonly min: number
  readonly max: number
}

const secondsPerUnit: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }
const bytesPerUnit: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
}

/** A whole number within `range`. */
export function whole(range: Range): Format<number> {
  return {
    takes: `a whole number from ${range.min} to ${range.max}`,
    json: { type: 'integer', minimum: range.min, maximum: range.max },
    read: (given) => quantity(given, range, {}, 1, 'is not a whole number', true),
  }
}

/** A span of time in seconds, given as a plain number of seconds or with `ms`, `s`, `m`, `h`, `d`. */
export function seconds(range: Range): Format<number> {
  return {
    takes: `a time from ${formatSeconds(range.min)} to ${formatSeconds(range.max)}: a number of seconds, or one with ms, s, m, h or d`,
    json: quantityJson(range, durationPattern),
    read: (given) => quantity(given, range, secondsPerUnit, 1, 'is not a time', false),
  }
}

/** A span of time in milliseconds, given as a plain number of milliseconds or with `ms`, `s`, `m`, `h`, `d`. */
export function milliseconds(range: Range): Format<number> {
  return {
    takes: `a time from ${range.min} ms to ${range.max} ms: a number of milliseconds, or one with ms, s, m, h or d`,
    json: quantityJson(range, durationPattern),
    read: (given) => quantity(given, range, secondsPerUnit, 1000, 'is not a time', true),
  }
}

/** A size in bytes, given as a plain number or with `KiB`, `MiB`, `GiB`, `TiB` (1024) or `kB`, `MB`, `GB`, `TB` (1000), in any case. */
export function bytes(range: Range): Format<number> {
  return {
    takes: `a size from ${formatBytes(range.min)} to ${formatBytes(range.max)}: a number of bytes, or one with KiB, MiB, GiB, kB, MB or GB`,
    json: quantityJson(range, '^[0-9]+([.][0-9]+)? *([kKmMgGtT][iI]?)?[bB]$'),
    read: (given) => quantity(given, range, bytesPerUnit, 1, 'is not a size', true),
  }
}

/** `64 KiB` for 65536: for people. */
export function formatBytes(count: number): string {
  const unit = (['tib', 'gib', 'mib', 'kib'] as const).find(
    (name) => count !== 0 && count % (bytesPerUnit[name] ?? 1) === 0,
  )
  if (unit === undefined) return `${count} B`
  return `${count / (bytesPerUnit[unit] ?? 1)} ${unit.charAt(0).toUpperCase()}iB`
}

function formatSeconds(count: number): string {
  if (count !== 0 && count < 1) return `${count * 1000} ms`
  const unit = (['d', 'h', 'm'] as const).find((name) => count !== 0 && count % (secondsPerUnit[name] ?? 1) === 0)
  return unit === undefined ? `${count} s` : `${count / (secondsPerUnit[unit] ?? 1)} ${unit}`
}

const durationPattern = '^[0-9]+([.][0-9]+)? *(ms|s|m|h|d)$'

function quantityJson(range: Range, pattern: string): Format<number>['json'] {
  return { type: ['number', 'string'], minimum: range.min, maximum: range.max, pattern }
}

/** Reads a plain number, or text of a number and a unit whose worth times `scale` is in `units`. */
function quantity(
  given: unknown,
  range: Range,
  units: Readonly<Record<string, number>>,
  scale: number,
  otherwise: string,
  isWhole: boolean,
): Reading<number> {
  if (typeof given === 'number') return within(given, range, otherwise, isWhole)
  if (typeof given !== 'string') return { reason: otherwise }
  const { plain, repair } = unquoted(given)
  const parts = /^([+-]?\d{1,20}(?:\.\d{1,20})?)\s*([a-z]*)$/i.exec(plain)
  const [, digits, unit] = parts ?? []
  if (digits === undefined || unit === undefined) return { reason: otherwise }
  // `Object.hasOwn`: the word is from outside, and "constructor" is no unit.
  const name = unit.toLowerCase()
  if (name !== '' && !Object.hasOwn(units, name)) return { reason: otherwise }
  const worth = name === '' ? 1 : (units[name] ?? 1) * scale
  // Rounded where the number is whole: 1.1 KiB is 1126.4 bytes, and 0.25 s * 1000 must not be 249.99.
  const value = Number(digits) * worth
  const reading = within(isWhole && name !== '' ? Math.round(value) : value, range, otherwise, isWhole)
  return 'reason' in reading ? reading : { ...reading, ...repair }
}

function within(value: number, range: Range, otherwise: string, isWhole: boolean): Reading<number> {
  if (!Number.isFinite(value) || (isWhole && !Number.isInteger(value))) return { reason: otherwise }
  if (value < range.min) return { reason: `is below ${range.min}` }
  if (value > range.max) return { reason: `is above ${range.max}` }
  // -0 is 0 for everybody but JSON and Object.is.
  return { value: value === 0 ? 0 : value }
}
