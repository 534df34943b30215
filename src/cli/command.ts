import type { Paint } from './terminal.ts'

/** Where a command runs and what it may touch. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly paint: Paint
  /** Replaces the last line of the terminal; null where there is none. */
  readonly terminal: ((text: string) => void) | null
  out(text: string): void
  err(text: string): void
  /** Aborts at SIGINT, which from then on does not end the process by itself. */
  interrupted(): AbortSignal
  /** Starts the service; resolves once it runs. */
  start(): Promise<unknown>
}

/** The process's exit code; null when the service goes on running. */
export type CommandExit = 0 | 1 | 2 | 3 | 130 | null

/** The options of the command line, in the form of `parseArgs`. */
export const commandOptions = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  schema: { type: 'boolean' },
  connect: { type: 'boolean' },
  'all-rows': { type: 'boolean' },
  'older-than': { type: 'string' },
  'dry-run': { type: 'boolean' },
  at: { type: 'string' },
  to: { type: 'string' },
  lineage: { type: 'string' },
  scope: { type: 'string', multiple: true },
  expires: { type: 'string' },
} as const

/** The name of an option. */
export type Flag = keyof typeof commandOptions

/** One command of the command line. */
export interface Command {
  /** Flags other than `--help` and `--version`. */
  readonly flags: readonly Flag[]
  /** The words behind the name; absent: none. A sentence is why they are not accepted. */
  readonly words?: (words: readonly string[]) => string | null
  run(given: Given, context: CommandContext): Promise<CommandExit>
}

/** A command line, read. */
export interface Given {
  readonly flags: ReadonlySet<Flag>
  readonly words: readonly string[]
  /** Of `--older-than`. */
  readonly olderThan: string | null
  /** Of `--at`, `--to` and `--lineage`. */
  readonly at: string | null
  readonly to: string | null
  readonly lineage: string | null
  /** Of each `--scope`. */
  readonly scopes: readonly string[]
  /** Of `--expires`. */
  readonly expires: string | null
}
