import type { FieldError } from '../../errors.ts'
import { escapePointer } from './ajv.ts'

/** True if the value is a JSON object. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** How many levels of objects and arrays a value may have; MariaDB can store 31. */
const maxLevels = 30

/** A body with far more members than any collection has fields is rejected without a look at each. */
const maxMembers = 1_000

/**
 * Finds a value that could not be returned as it was sent: U+0000 (PostgreSQL cannot store it), half of a surrogate pair
 * (not valid UTF-8), or a number that JSON does not represent exactly. Null if there is none. Never throws.
 */
export function findUnstorable(body: object): FieldError | null {
  if (Object.keys(body).length > maxMembers) {
    return { pointer: '', message: `A row may have at most ${maxMembers} members.` }
  }
  return search(body, 0)
}

/** The pointer of the result is relative to `value`: pointers are built only for errors. */
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
  // The body is a level of its own.
  if (depth > maxLevels) return { pointer: '', message: `Values may be nested at most ${maxLevels} levels deep.` }
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

/** Harmless here, but not in the code of a client that copies it. */
function nameDefect(name: string): FieldError | null {
  return name === '__proto__' ? { pointer: '', message: '"__proto__" is not a valid name.' } : null
}

function textDefect(text: string): FieldError | null {
  if (text.includes('\0')) return { pointer: '', message: 'Text must not contain the character U+0000.' }
  if (!text.isWellFormed()) return { pointer: '', message: 'Text must not contain half of a surrogate pair.' }
  return null
}

/** Fields declare their range; numbers inside objects and arrays have none, and a rounded id is a wrong id. */
function numberDefect(value: number, depth: number): FieldError | null {
  if (!Number.isFinite(value)) return { pointer: '', message: 'The number is too large for a double.' }
  const isRounded = depth > 1 && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21
  return isRounded
    ? { pointer: '', message: 'Integers beyond 2^53 - 1 are not exact in JSON. Send text instead.' }
    : null
}
