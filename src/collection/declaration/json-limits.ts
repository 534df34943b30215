import type { FieldError } from '../../errors.ts'
import { escapePointer } from './ajv.ts'

/** Deeper values are refused, so that walking one never runs out of stack. */
const maxDepth = 100

/** A body with more members than any collection has fields is refused before each one is looked at. */
const maxMembers = 1_000

/**
 * What a body holds that could not come back as it was sent: U+0000 (PostgreSQL has no place for it), half a surrogate
 * pair (no UTF-8 form), and numbers beyond what JSON carries exactly. Null when all of it would. Never throws.
 */
export function unsoundness(body: object): FieldError | null {
  if (Object.keys(body).length > maxMembers) {
    return { pointer: '', message: `A row has at most ${maxMembers} members.` }
  }
  return search(body, 0)
}

/** The pointer of what is found begins at this value: a place is only written down when something is wrong there. */
function search(value: unknown, depth: number): FieldError | null {
  switch (typeof value) {
    case 'string':
      return textDefect(value)
    case 'number':
      return numberDefect(value, depth)
    case 'object':
      break
    default:
      return null
  }
  if (value === null) return null
  if (depth >= maxDepth) return { pointer: '', message: `Values are nested at most ${maxDepth} levels deep.` }
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const found = search(value[at], depth + 1)
      if (found !== null) return below(String(at), found)
    }
    return null
  }
  return searchMembers(value, depth)
}

function searchMembers(value: object, depth: number): FieldError | null {
  for (const name of Object.keys(value)) {
    const found = textDefect(name) ?? search(Reflect.get(value, name), depth + 1) ?? nameDefect(name)
    if (found !== null) return below(name, found)
  }
  return null
}

function below(name: string, { pointer, message }: FieldError): FieldError {
  return { pointer: `/${escapePointer(name)}${pointer}`, message }
}

/** Kept and given back it would be harmless; copied by a client's code it would not. */
function nameDefect(name: string): FieldError | null {
  return name === '__proto__' ? { pointer: '', message: 'No member may be called "__proto__".' } : null
}

function textDefect(text: string): FieldError | null {
  if (text.includes('\0')) return { pointer: '', message: 'Text cannot hold the character U+0000.' }
  if (!text.isWellFormed()) return { pointer: '', message: 'Text cannot hold half of a surrogate pair.' }
  return null
}

/** A field says itself which numbers it takes; inside objects and arrays nothing does, and a rounded id is a wrong one. */
function numberDefect(value: number, depth: number): FieldError | null {
  if (!Number.isFinite(value)) return { pointer: '', message: 'The number is too large for a double.' }
  const isRounded = depth > 1 && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21
  return isRounded ? { pointer: '', message: 'Integers beyond 2^53 - 1 are not exact in JSON: send text.' } : null
}
