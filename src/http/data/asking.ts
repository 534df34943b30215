import type { IncomingMessage } from 'node:http'
import type { Caller } from '../../collection/access/caller.ts'
import { permitted } from '../../collection/access/permit.ts'
import type { AskedCollections } from '../../collection/query/expand.ts'
import type { ListFormat } from '../../collection/query/list-request.ts'
import { HoldfastError } from '../../errors.ts'
import { parseParameter } from './body.ts'
import type { ServedCollection } from './served-collection.ts'

/** The other collections as this caller sees their rows: those that it may not get are not there. */
export function askedBy(caller: Caller, served: ReadonlyMap<string, ServedCollection>): AskedCollections {
  return (name) => {
    const collection = served.get(name)?.collection
    const granted = collection === undefined ? null : permitted(collection, 'get', caller)
    return collection === undefined || granted === null ? undefined : { collection, asked: granted.fields.asked }
  }
}

/** The media types of a list. */
export const mediaTypes: Readonly<Record<ListFormat, string>> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
}

const maxRanges = 20

/** The format that the `Accept` header prefers; JSON unless told. Throws FORMAT_NOT_ACCEPTABLE where it accepts none of them. */
export function acceptedFormat<F extends ListFormat>(
  { headers: { accept } }: IncomingMessage,
  formats: readonly F[],
): F {
  const [preferred] = formats
  if (preferred === undefined) throw new Error('A resource has a format.')
  if (accept === undefined || accept === '' || accept === '*/*' || accept === mediaTypes[preferred]) return preferred
  const ranges = accept.split(',', maxRanges).map(readRange)
  const rated = formats.map((format) => ({ format, quality: qualityOf(mediaTypes[format], ranges) }))
  // The first of equals: a sort is stable.
  const [best] = rated.toSorted((one, other) => other.quality - one.quality)
  if (best !== undefined && best.quality > 0) return best.format
  const detail = `It is available as ${formats.map((format) => mediaTypes[format]).join(', ')}.`
  throw new HoldfastError('FORMAT_NOT_ACCEPTABLE', { detail })
}

interface MediaRange {
  readonly type: string
  readonly quality: number
}

function readRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';')
  const quality = parameters.map(parseParameter).find((parameter) => parameter?.name === 'q')?.value
  const number = quality === undefined ? 1 : Number(quality)
  return { type: type.trim().toLowerCase(), quality: number >= 0 && number <= 1 ? number : 0 }
}

/** Of the most precise range that names the type. */
function qualityOf(mediaType: string, ranges: readonly MediaRange[]): number {
  const names = [mediaType, `${mediaType.slice(0, mediaType.indexOf('/'))}/*`, '*/*']
  for (const name of names) {
    const found = ranges.find(({ type }) => type === name)
    if (found !== undefined) return found.quality
  }
  return 0
}

const plainSearch = /^\?[\w&=.:,%*~+-]+$/

/** The address of the next page. */
export function nextLink(path: string, search: string, next: string): string {
  // Most addresses have nothing that a header could not have, and no place of their own.
  if (plainSearch.test(search) && !/[?&](?:cursor|page)=/.test(search))
    return `<${path}${search}&cursor=${next}>; rel="next"`
  const parameters = new URLSearchParams(search)
  parameters.delete('page')
  parameters.set('cursor', next)
  return `<${path}?${parameters}>; rel="next"`
}
