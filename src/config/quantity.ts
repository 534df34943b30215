/** Units by name, in lower case, with what one of them is worth. */
export type Units = Readonly<Record<string, number>>

export const durationsInSeconds: Units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }
export const durationsInMilliseconds: Units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
export const sizesInBytes: Units = {
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

/** The number in a text, perhaps with one of `units`, in any case; the text itself when it is not one. */
export function readQuantity(text: string, units: Units, isWhole = true): number | string {
  const [, digits, unit] = /^([+-]?\d{1,20}(?:\.\d{1,20})?)\s*([a-z]*)$/i.exec(text) ?? []
  if (digits === undefined || unit === undefined) return text
  const name = unit.toLowerCase()
  // -0 is 0 everywhere except in JSON and Object.is.
  if (name === '') return Number(digits) + 0
  // `Object.hasOwn`: the word is from outside, and "constructor" is not a unit.
  if (!Object.hasOwn(units, name)) return text
  const value = Number(digits) * (units[name] ?? 1) + 0
  // 1.1 KiB is 1126.4 bytes.
  return isWhole ? Math.round(value) : value
}

/** `64 KiB` for 65536. */
export function formatBytes(count: number): string {
  const unit = (['tib', 'gib', 'mib', 'kib'] as const).find(
    (name) => count !== 0 && count % (sizesInBytes[name] ?? 1) === 0,
  )
  if (unit === undefined) return `${count} B`
  return `${count / (sizesInBytes[unit] ?? 1)} ${unit.charAt(0).toUpperCase()}iB`
}

/** `5 m` for 300. */
export function formatSeconds(count: number): string {
  if (count !== 0 && count < 1) return `${count * 1000} ms`
  const unit = (['d', 'h', 'm'] as const).find((name) => count !== 0 && count % (durationsInSeconds[name] ?? 1) === 0)
  return unit === undefined ? `${count} s` : `${count / (durationsInSeconds[unit] ?? 1)} ${unit}`
}
