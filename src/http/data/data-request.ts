import type { IncomingMessage } from 'node:http'
import { pageRows } from '../../collection/row/page.ts'
import type { Demand } from '../../database/store/store.ts'
import { HoldfastError } from '../../errors.ts'
import { parseParameter } from './body.ts'

/** Which page of a list the client requests. */
export interface Page {
  readonly limit: number
  readonly cursor: string | null
}

const firstPage: Page = { limit: pageRows.default, cursor: null }

/** Reads `?limit=..&cursor=..`; `search` begins with `?` or is empty. Throws QUERY_INVALID. */
export function parsePage(search: string): Page {
  if (search.length < 2) return firstPage
  const parameters = readParameters(search, ['limit', 'cursor'])
  const limit = parameters.get('limit')
  return { limit: limit === undefined ? pageRows.default : parseLimit(limit), cursor: parameters.get('cursor') ?? null }
}

/** Throws QUERY_INVALID when there is any parameter: a filter that is silently ignored gives wrong answers. */
export function refuseQuery(search: string): void {
  if (search.length > 1) readParameters(search, [])
}

function readParameters(search: string, known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(search)) {
    const shown = JSON.stringify(name.slice(0, 40))
    if (!known.includes(name)) {
      const accepted = known.length === 0 ? 'none' : known.join(' and ')
      throw new HoldfastError('QUERY_INVALID', {
        detail: `Unknown parameter ${shown}. This address accepts ${accepted}.`,
      })
    }
    if (found.has(name)) throw new HoldfastError('QUERY_INVALID', { detail: `The parameter ${shown} appears twice.` })
    found.set(name, value)
  }
  return found
}

function parseLimit(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= pageRows.max) return limit
  throw new HoldfastError('QUERY_INVALID', { detail: `"limit" must be an integer from 1 to ${pageRows.max}.` })
}

/** The durability in `Prefer`. Throws REQUEST_INVALID for an unknown word: a demand is never ignored silently. */
export function parseDemand(req: IncomingMessage): Demand | undefined {
  const word = preferenceOf(req, 'durability')?.toLowerCase()
  if (word === undefined || word === 'primary' || word === 'journal' || word === 'local') return word
  throw new HoldfastError('REQUEST_INVALID', { detail: '"Prefer: durability=" accepts primary, journal or local.' })
}

/** `max-age` in `Prefer`, in seconds; null: any age. Throws REQUEST_INVALID. */
export function parseMaxAge(req: IncomingMessage): number | null {
  const text = preferenceOf(req, 'max-age')
  if (text === undefined) return null
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new HoldfastError('REQUEST_INVALID', {
    detail: '"Prefer: max-age=" accepts a number of seconds, such as 60.',
  })
}

function preferenceOf({ headers: { prefer } }: IncomingMessage, name: string): string | undefined {
  if (prefer === undefined) return undefined
  const text = Array.isArray(prefer) ? prefer.join(',') : prefer
  for (const preference of text.split(/[,;]/)) {
    const found = parseParameter(preference)
    if (found?.name === name) return found.value
    // Without a value: as one that is empty.
    if (found === null && preference.trim().toLowerCase() === name) return ''
  }
  return undefined
}
