import type { ListedObject } from './target.ts'

/** A page of ListObjectsV2, with whole keys. */
export interface S3Page {
  readonly objects: readonly ListedObject[]
  /** Null: the last one. `''`: there is more, and the store gave no token. */
  readonly next: string | null
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Reads the XML of a listing; null for what is no listing. The form is fixed, and our keys need no escapes. */
export function readListing(xml: string): S3Page | null {
  if (!/<ListBucketResult[\s>]/.test(xml) || !/<\/ListBucketResult>\s*$/.test(xml)) return null
  const objects: ListedObject[] = []
  for (const [, entry = ''] of xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
    const [key, size] = [elementText(entry, 'Key'), elementText(entry, 'Size')]
    if (key === null || size === null || !/^\d+$/.test(size)) return null
    objects.push({ key, bytes: Number(size) })
  }
  const isTruncated = elementText(xml, 'IsTruncated') === 'true'
  return { objects, next: isTruncated ? (elementText(xml, 'NextContinuationToken') ?? '') : null }
}

/** The text of the first element of a name; null: there is none. */
export function elementText(xml: string, name: string): string | null {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  if (text === undefined) return null
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (all, decimal?: string, hex?: string, name = '') => {
    const code = decimal === undefined ? (hex === undefined ? null : Number.parseInt(hex, 16)) : Number(decimal)
    if (code === null) return entities[name] ?? all
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}
