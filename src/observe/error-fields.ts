import { maskAddresses } from './redaction.ts'

/** How far a chain of causes is followed. */
const maxCauses = 5

/** What the log keeps of anything that was thrown: never its own fields, which may hold a whole configuration. */
export interface ErrorFields {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorFields
  readonly errors?: readonly ErrorFields[]
}

/** An error as fields of a line, with its causes; addresses in it are masked. Total. */
export function errorFields(error: unknown, depth: number = maxCauses): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: maskAddresses(shortText(error)) }
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? error.code : null
  const inner = error instanceof AggregateError && depth > 0 ? error.errors.slice(0, 3) : []
  return {
    type: error.name,
    message: maskAddresses(error.message),
    ...(code === null ? {} : { code: String(code) }),
    ...(error.stack === undefined ? {} : { stack: maskAddresses(error.stack) }),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: errorFields(error.cause, depth - 1) }),
    ...(inner.length === 0 ? {} : { errors: inner.map((one: unknown) => errorFields(one, depth - 1)) }),
  }
}

function shortText(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, 500)
  return typeof value === 'object' ? Object.prototype.toString.call(value) : String(value)
}
