import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { Secret } from '../config/secret.ts'
import type { Settings } from '../config/settings.ts'
import { errorFields } from './error-fields.ts'
import type { Line, LineLevel } from './line.ts'
import { lineOf } from './lines.ts'
import type { Observation } from './observation.ts'
import { forbiddenTexts, mask } from './redaction.ts'
import { Repeats } from './repeats.ts'

/** Where lines go: standard output, or a test's own array. */
export interface LogOutput {
  write(text: string): unknown
  readonly isTTY?: boolean
  /** Resolves when what was written is out. */
  flush?(): Promise<void>
}

/** What the log is made from. */
export interface LogParts {
  readonly settings: Settings['log']
  /** Values that must never be printed, wherever they come from. */
  readonly secrets: readonly Secret[]
  readonly output: LogOutput
  /** Milliseconds, monotonic; for tests. */
  readonly now?: () => number
}

/** Observations as lines. Nothing here throws; a line is handed to the output before `observe` returns. */
export interface Log {
  observe(seen: Observation): void
  /** Takes another level, another choice about requests and other secrets at once; the format stays. */
  reconfigure(settings: Settings['log'], secrets: readonly Secret[]): void
  /** Hides these as well from now on: a token that was drawn at the start. */
  hide(secrets: readonly Secret[]): void
  /** Says what was only counted so far, and resolves when all is out: the last thing before the process ends. */
  flush(): Promise<void>
}

/** Makes the log. Resolves at once, but for a terminal, whose pretty printer is loaded only then. Never rejects. */
export async function createLog(parts: LogParts): Promise<Log> {
  const pretty = (parts.settings.format ?? (parts.output.isTTY === true ? 'pretty' : 'json')) === 'pretty'
  const format = pretty ? await loadPretty(parts.output.isTTY === true) : asItIs
  return new PinoLog(parts, format)
}

const asItIs = (text: string): string => text

/**
 * In this process, not in pino's worker: no line is lost at the end, and it is masked after it was made pretty. JSON where
 * the printer cannot be loaded: looks are no reason not to start.
 */
async function loadPretty(colorize: boolean): Promise<(text: string) => string> {
  try {
    const module = await import('pino-pretty')
    // CommonJS: Node finds its names, but in the bundle only the default is there.
    const { prettyFactory } = module.prettyFactory === undefined ? module.default : module
    return prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss.l', ignore: 'event', singleLine: true })
  } catch {
    return asItIs
  }
}

/** What a summary tells again. */
interface Repeated {
  readonly level: LineLevel
  readonly message: string
  readonly event: string
}

class PinoLog implements Log {
  readonly #logger: Logger
  readonly #repeats: Repeats<Repeated>
  readonly #output: LogOutput
  #forbidden: readonly string[]
  #requests: boolean

  constructor(parts: LogParts, format: (text: string) => string) {
    this.#output = parts.output
    this.#forbidden = forbiddenTexts(parts.secrets)
    this.#requests = parts.settings.requests
    const write = (text: string) => {
      parts.output.write(mask(format(text), this.#forbidden))
    }
    this.#logger = pino(
      {
        level: parts.settings.level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        // Ours has made the error plain already, and pino's own would join the messages of its causes.
        serializers: { err: (fields: unknown) => fields },
        formatters: { level: (label) => ({ level: label }) },
      },
      { write },
    )
    this.#repeats = new Repeats((first, count) => this.#summarise(first, count), parts.now)
  }

  observe(seen: Observation): void {
    try {
      const said = lineOf(seen, this.#requests)
      if (said === null || !this.#logger.isLevelEnabled(said.level)) return
      if (said.repeat !== null && !this.#admits(said.repeat, said, seen.type)) return
      // A fault that nothing else led to has the cause null.
      const err =
        'error' in said && said.error !== null && said.error !== undefined ? { err: errorFields(said.error) } : {}
      this.#logger[said.level]({ event: seen.type, ...said.fields, ...err }, said.message)
    } catch {
      // A log that cannot be written must not take the service with it.
    }
  }

  reconfigure(settings: Settings['log'], secrets: readonly Secret[]): void {
    this.#logger.level = settings.level
    this.#requests = settings.requests
    this.hide(secrets)
  }

  hide(secrets: readonly Secret[]): void {
    // What was a secret stays one: it may still be in use elsewhere.
    const all = new Set([...this.#forbidden, ...forbiddenTexts(secrets)])
    this.#forbidden = [...all].sort((a, b) => b.length - a.length)
  }

  async flush(): Promise<void> {
    this.#repeats.flush()
    await this.#output.flush?.()
  }

  #admits(key: string, { level, message }: Line, event: string): boolean {
    return this.#repeats.admits(`${event} ${key}`, { level, message, event })
  }

  #summarise(first: Repeated, count: number): void {
    const message = `Said ${count} more ${count === 1 ? 'time' : 'times'} in the last minute: ${first.message}`
    this.#logger[first.level]({ event: first.event, repeated: count }, message)
  }
}
