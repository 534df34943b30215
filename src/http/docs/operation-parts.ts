import type { Operation } from '../../collection/declaration/declaration.ts'
import type { Answer, Answers, Body, ComponentReference, Schema } from './document.ts'
import { headersOf } from './shared-components.ts'

/** What an operation is documented with, besides what all have. */
export interface DocumentedParts {
  readonly summary: string
  readonly description?: string
  /** The operations that a caller must be allowed; each of them. */
  readonly needs: readonly Operation[]
  readonly parameters?: readonly ComponentReference[]
  readonly body?: Body
  readonly answers: Answers
}

/** Headers of each answer to a read. */
export const readHeaders: readonly string[] = ['Holdfast-Store', 'Holdfast-As-Of']

/** Headers of each answer to a write. */
export const writeHeaders: readonly string[] = ['Holdfast-Store', 'Holdfast-Durability', 'Holdfast-Archive-Lag']

/** An answer in JSON. */
export function jsonAnswer(description: string, schema: Schema, headers: readonly string[]): Answer {
  const content = { 'application/json': { schema } }
  return headers.length === 0 ? { description, content } : { description, headers: headersOf(...headers), content }
}

/** An answer without a body. */
export function emptyAnswer(description: string): Answer {
  return { description, headers: headersOf(...writeHeaders) }
}

/** A body that must be sent, as one of these content types. */
export function bodyOf(schema: Schema, example: unknown, types: readonly string[] = ['application/json']): Body {
  const content = example === undefined ? { schema } : { schema, example }
  return { required: true, content: Object.fromEntries(types.map((type) => [type, content])) }
}
