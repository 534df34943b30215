import { v5 as uuidv5 } from 'uuid'

/** A random UUID: no other software derives ids from it. */
const namespace = '6b1f0a5e-3c0d-4b8a-9d52-7f1e2ac4c9d3'

/** The same id for the same parts, wherever it is made. */
export function derivedId(...parts: readonly string[]): string {
  return uuidv5(JSON.stringify(parts), namespace)
}
