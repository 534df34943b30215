import { type Logger, pino } from 'pino'
import { createMask, type Mask } from '../config/mask.ts'
import type { Secret } from '../config/secret.ts'
import type { Settings } from '../config/settings.ts'
import { isOfArchive, lineOfArchive } from './archive-lines.ts'
import { copyLine } from './copy-lines.ts'
import { databaseLine } from './database-lines.ts'
import { httpLine } from './http-lines.ts'
import { journalLine } from './journal-lines.ts'
import { jsonLayout, type LineLevel, type LogLine, terminalLayout } from './log-line.ts'
import type { Observation } from './observation.ts'
import { forbiddenTexts, mask } from './redaction.ts'
import { Repeats } from './repeats.ts'
import { type AnsweredRequest, requestJson, requestLevel, requestLine } from './request-line.ts'
import { serviceLine } from './service-lines.ts'

/** Where lines go: standard output, or an array in a test. */
export interface LogOutput {
  /** Prints a line behind all earlier ones: now, or, if it can wait, by the end of this turn of the event loop. */
  write(text: string, canWait: boolean): unknown
  readonly isTTY?: boolean
  /** Resolves when everything written has been flushed. */
  flush?(): Promise<void>
}

/** The dependencies of the log. */
export interface LogParts {
  readonly settings: Settings['log']
  /** Values that must never be printed, wherever they occur. */
  readonly secrets: readonly Secret[]
  readonly output: LogOutput
  /** A monotonic clock in milliseconds, for tests. */
  readonly now?: () => number
}

/**
 * Prints observations as lines. Never throws; a line reaches the output before `observe` returns. Standard output keeps the
 * lines of requests, and no others, until the end of the turn: see `createStandardOutput` for what may be lost.
 */
export interface Log {
  observe(seen: Observation): void
  /** Applies another level, choice of request lines and set of secrets at once; the format stays. */
  reconfigure(settings: Settings['log'], secrets: readonly Secret[]): void
  /** Masks these secrets, too, from now on: a token created at the start. */
  hide(secrets: readonly Secret[]): void
  /** Prints the counts of repeated lines and resolves when all is flushed: the last call before the process ends. */
  flush(): Promise<void>
}

/** Creates the log. Loads the pretty printer for a terminal only. Never rejects. */
export async function createLog(parts: LogParts): Promise<Log> {
  const pretty = (parts.settings.format ?? (parts.output.isTTY === true ? 'pretty' : 'json')) === 'pretty'
  return new PinoLog(parts, pretty ? await loadPretty(parts.output.isTTY === true) : null)
}

/** Turns one line of JSON into one for people. */
type Prettify = (text: string) => string

/**
 * Runs in this process instead of pino's worker, so that no line is lost at exit and lines are masked after
 * formatting. Null if the printer cannot be loaded; the log is then JSON.
 */
async function loadPretty(colorize: boolean): Promise<Prettify | null> {
  try {
    const module = await import('pino-pretty')
    // CommonJS: Node detects its named exports, but the bundle has only the default.
    const { prettyFactory } = module.prettyFactory === undefined ? module.default : module
    return prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss.l', ignore: 'event', singleLine: true })
  } catch {
    return null
  }
}

/** The line that a summary of repeated lines quotes. */
interface Repeated {
  readonly level: LineLevel
  readonly message: string
  readonly event: string
}

class PinoLog implements Log {
  readonly #logger: Logger
  readonly #repeats: Repeats<Repeated>
  readonly #output: LogOutput
  readonly #layout: typeof jsonLayout
  #forbidden: readonly string[]
  #maskRuns: Mask
  #requests: boolean
  #lastHint: unknown = null
  /** Of the line that pino is writing. */
  #canWait = false

  constructor(parts: LogParts, prettify: Prettify | null) {
    this.#output = parts.output
    this.#layout = prettify === null ? jsonLayout : terminalLayout
    this.#forbidden = forbiddenTexts(parts.secrets)
    this.#maskRuns = createMask(this.#forbidden)
    this.#requests = parts.settings.requests
    const write = (text: string) => this.#write(prettify === null ? text : prettify(text), this.#canWait)
    this.#logger = pino(
      {
        level: parts.settings.level,
        base: null,
        timestamp: () => `,"time":"${isoTime()}"`,
        // The error is already plain fields; pino's serializer would join the messages of its causes.
        serializers: { err: (fields: unknown) => fields },
        formatters: { level: (label) => ({ level: label }) },
      },
      { write },
    )
    this.#repeats = new Repeats((first, count) => this.#summarise(first, count), parts.now)
  }

  observe(seen: Observation): void {
    try {
      if (seen.type === 'request.answered') this.#observeRequest(seen)
      else this.#observe(seen)
    } catch {
      // A log that cannot be written must not stop the service.
    }
  }

  reconfigure(settings: Settings['log'], secrets: readonly Secret[]): void {
    this.#logger.level = settings.level
    this.#requests = settings.requests
    this.hide(secrets)
  }

  hide(secrets: readonly Secret[]): void {
    // An old secret stays masked: it may still be in use elsewhere.
    const all = new Set([...this.#forbidden, ...forbiddenTexts(secrets)])
    this.#forbidden = [...all].sort((a, b) => b.length - a.length)
    this.#maskRuns = createMask(this.#forbidden)
  }

  async flush(): Promise<void> {
    this.#repeats.flush()
    await this.#output.flush?.()
  }

  #observe(seen: Exclude<Observation, AnsweredRequest>): void {
    const line = lineOf(seen)
    if (!this.#logger.isLevelEnabled(line.level)) return
    if (line.repeat === null || this.#admits(line.repeat, line, seen.type)) this.#print(line, seen.type)
  }

  #observeRequest(seen: AnsweredRequest): void {
    const level = requestLevel(seen)
    if (!this.#requests || !this.#logger.isLevelEnabled(level)) return
    const text = this.#layout === jsonLayout ? requestJson(seen, level, isoTime()) : null
    if (text === null) this.#print(requestLine(seen), seen.type)
    else this.#write(text, true)
  }

  #admits(key: string, { level, message }: LogLine, event: string): boolean {
    return this.#repeats.admits(`${event} ${key}`, { level, message, event })
  }

  #summarise(first: Repeated, count: number): void {
    const { level, event } = first
    const message = `Repeated ${count} ${count === 1 ? 'time' : 'times'} in the last minute: ${first.message}`
    this.#print({ level, message, fields: { repeated: count }, repeat: null }, event)
  }

  #print(line: LogLine, event: string): void {
    const { message, fields } = this.#layout(line)
    // Where a text was cut, only the beginning of a secret may be left.
    const shown = message.includes('…') ? this.#maskRuns(message) : message
    this.#canWait = event === 'request.answered'
    this.#logger[line.level]({ event, ...this.#withoutRepeats(fields) }, shown)
  }

  #write(text: string, canWait: boolean): void {
    this.#output.write(mask(text, this.#forbidden), canWait)
  }

  /** On a terminal the lines of one failure follow each other: their fault and its hint are printed once. */
  #withoutRepeats(fields: object): object {
    if (this.#layout !== terminalLayout || !('hint' in fields)) return fields
    const { fault, hint, ...rest } = fields as { fault?: unknown; hint: unknown }
    const isRepeated = hint === this.#lastHint
    this.#lastHint = hint
    return isRepeated ? rest : fields
  }
}

let timeMs = Number.NaN
let time = ''

/** The time now. Formatted once per millisecond: that takes as long as all else in the line of a request. */
function isoTime(): string {
  const now = Date.now()
  if (now !== timeMs) time = new Date(now).toISOString()
  timeMs = now
  return time
}

/** The line of an observation. Exhaustive: `serviceLine` has the rest, so a new observation does not compile without a line. */
function lineOf(seen: Exclude<Observation, AnsweredRequest>): LogLine {
  if (isOfArchive(seen)) return lineOfArchive(seen)
  switch (seen.type) {
    case 'connection.changed':
    case 'connection.attempt.failed':
    case 'store.opened':
    case 'store.advised':
    case 'store.closed':
    case 'store.checked':
    case 'cluster.host':
    case 'fallback.writes':
    case 'journal.left':
    case 'work.rerun':
    case 'work.failed':
    case 'database.defect':
      return databaseLine(seen)
    case 'journal.carried':
    case 'journal.parked':
    case 'journal.went-back':
    case 'primary.went-back':
    case 'journal.elsewhere':
    case 'conflicts.counted':
      return journalLine(seen)
    case 'copy.began':
    case 'copy.completed':
    case 'copy.looked':
    case 'copy.written-through':
    case 'copy.reset':
    case 'copy.failed':
    case 'copy.problem':
    case 'copy.problem.ended':
      return copyLine(seen)
    case 'http.listening':
    case 'request.failed':
    case 'connection.malformed':
    case 'connection.dropped':
    case 'http.closed':
      return httpLine(seen)
    default:
      return serviceLine(seen)
  }
}
