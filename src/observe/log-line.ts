import { maskAddresses } from './redaction.ts'

/** The level of a log line. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** One observation as the log shows it. */
export interface LogLine {
  readonly level: LineLevel
  /** One sentence for people. */
  readonly message: string
  /** The same for programs. No secret, no row value. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Lines with equal keys are printed once a minute and counted. Null: always printed. */
  readonly repeat: string | null
  /** The underlying error, printed with its chain of causes. */
  readonly error?: unknown
  /** True if the error is a fault of the environment, whose stack helps no one. */
  readonly isExpected?: boolean
}

/** What a line may carry besides its sentence and fields. */
type Underlying = Pick<LogLine, 'error' | 'isExpected'>

/** A line that is printed each time. */
export function logLine(
  level: LineLevel,
  message: string,
  fields: LogLine['fields'] = {},
  underlying: Underlying = {},
): LogLine {
  return { level, message, fields, repeat: null, ...underlying }
}

/** A line that may come in large numbers: printed once a minute, the others are counted. */
export function repeatableLine(
  level: LineLevel,
  repeat: string,
  message: string,
  fields: LogLine['fields'],
  underlying: Underlying = {},
): LogLine {
  return { level, message, fields, repeat, ...underlying }
}

/** A bug in this service: something threw that must not throw. */
export function defectLine({ where, error }: { readonly where: string; readonly error: unknown }): LogLine {
  const message = `Unexpected error in ${where}; the service continues.`
  return repeatableLine('error', `defect ${where}`, message, { where }, { error })
}

/** Characters that a message may have. */
export const maxMessageLength = 120

/** The message and fields that are printed. */
interface Layout {
  readonly message: string
  readonly fields: object
}

/** The layout of JSON: a message that is cut is whole in the field `detail`. */
export function jsonLayout(line: LogLine): Layout {
  const { message, fields, error } = line
  // The common case, once per request: nothing is copied.
  if (isMissing(error) && message.length <= maxMessageLength) return line
  const all = { ...fields, ...(isMissing(error) ? {} : { err: errorFields(error) }) }
  if (message.length <= maxMessageLength) return { message, fields: all }
  // A word is never cut: its beginning may mean something else.
  const start = message.slice(0, maxMessageLength - 1).replace(/\s+\S*$/, '')
  return { message: `${start}…`, fields: { ...all, detail: message } }
}

/** The layout of a terminal: fields without what the message says, and no stack of an expected fault. */
export function terminalLayout(line: LogLine): Layout {
  const { message, error, isExpected = false } = line
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(line.fields)) {
    if (name === 'fault' && typeof value === 'object' && value !== null) Object.assign(fields, shortFault(value))
    else if (!isMissing(value) && value !== false && !isSaid(message, value)) fields[name] = value
  }
  if (isMissing(error)) return { message, fields }
  const known = errorFields(error)
  return { message, fields: { ...fields, ...(isExpected ? { cause: rootOf(known).message } : { err: known }) } }
}

/** Whether the message already contains the value. */
function isSaid(message: string, value: unknown): boolean {
  return (typeof value === 'string' || typeof value === 'number') && message.includes(String(value))
}

function shortFault(fault: { readonly kind?: unknown; readonly code?: unknown; readonly hint?: unknown }): object {
  return { fault: `${fault.kind} ${fault.code}`, hint: fault.hint }
}

/** A fault without an underlying error has the cause null. */
function isMissing(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

/** How far a chain of causes is followed. */
const maxCauses = 5

/** What the log keeps of a thrown value: never its other properties, which may hold a whole configuration. */
export interface ErrorFields {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorFields
  readonly errors?: readonly ErrorFields[]
}

/** An error as fields of a line, with its causes; masks the addresses in it. Total. */
function errorFields(error: unknown, depth: number = maxCauses): ErrorFields {
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

function rootOf(error: ErrorFields): ErrorFields {
  return error.cause === undefined ? error : rootOf(error.cause)
}

function shortText(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, 500)
  return typeof value === 'object' ? Object.prototype.toString.call(value) : String(value)
}
