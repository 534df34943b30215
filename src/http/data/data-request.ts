import type { IncomingMessage } from 'node:http'
import type { Demand } from '../../database/store/store.ts'
import { demands } from '../../database/work/durability.ts'
import { HoldfastError } from '../../errors.ts'
import { parseParameter } from './body.ts'

/** Throws QUERY_INVALID when there is any parameter: a filter that is silently ignored gives wrong answers. */
export function refuseQuery(search: string): void {
  if (search.length < 2) return
  for (const [name] of new URLSearchParams(search)) {
    const shown = JSON.stringify(name.slice(0, 40))
    throw new HoldfastError('QUERY_INVALID', { detail: `Unknown parameter ${shown}. This address accepts none.` })
  }
}

/** The durability in `Prefer`. Throws REQUEST_INVALID for an unknown word: a demand is never ignored silently. */
export function parseDemand(req: IncomingMessage): Demand | undefined {
  const word = preferenceOf(req, 'durability')?.toLowerCase()
  if (word === undefined) return undefined
  const demand = demands.find((one) => one === word)
  if (demand !== undefined) return demand
  throw new HoldfastError('REQUEST_INVALID', {
    detail: '"Prefer: durability=" accepts primary, journal, archived or local.',
  })
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

/** `return` in `Prefer`; null: none that is known. What is not known is ignored, as RFC 7240 requires. */
export function parseReturn(req: IncomingMessage): 'minimal' | 'representation' | null {
  const word = preferenceOf(req, 'return')?.toLowerCase()
  return word === 'minimal' || word === 'representation' ? word : null
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
