import { parseArgs } from 'node:util'
import { jsonSchemaOfSettings } from '../config/json-schema.ts'
import { nearest } from '../config/nearest.ts'
import { formatOrigin } from '../config/problem.ts'
import { coreSettings } from '../config/settings-schema.ts'
import { resolveAll } from '../service/resolve.ts'
import { version } from '../service/version.ts'
import { check, checkJson, exitCodeOf } from './check.ts'
import { checkText, shown } from './report.ts'
import { type Paint, table } from './terminal.ts'

/** What `holdfast --help` prints. */
const help = `Usage: holdfast [command] [options]

Commands
  start       run the service (the default)
  check       show the configuration, where it comes from, what is wrong and how
              to fix it; exits with 2 when a value cannot be used; opens no
              database unless --connect is given
  config      list every setting with its value and origin

Options
  --json      print JSON (check, config)
  --connect   also connect to the primary and report what it answers; changes
              nothing in it; exits with 3 when it, or a collection in it, cannot
              serve (check)
  --schema    print the JSON Schema of the settings files (config)
  --version   print the release
  --help      print this help

Settings come from config/default.json, config/<NODE_ENV>.json, CONFIG_FILE and
the environment. NAME_FILE sets NAME from a file that contains a secret.
`

/** Where a command runs and what it may touch. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly paint: Paint
  out(text: string): void
  err(text: string): void
  /** Starts the service; resolves once it runs. */
  start(): Promise<unknown>
}

/** The process's exit code; null when the service goes on running. */
type Exit = 0 | 1 | 2 | 3 | null

const options = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  schema: { type: 'boolean' },
  connect: { type: 'boolean' },
} as const

type Flag = keyof typeof options

interface Command {
  /** Flags other than `--help` and `--version`. */
  readonly flags: readonly Flag[]
  run(flags: ReadonlySet<Flag>, context: CommandContext): Promise<Exit>
}

const commands: Readonly<Record<string, Command>> = {
  start: { flags: [], run: runStart },
  check: { flags: ['json', 'connect'], run: runCheck },
  config: { flags: ['json', 'schema'], run: runConfig },
}

/** Runs one command line, without the executable. Wrong use prints one sentence and gives 1. */
export async function run(args: readonly string[], context: CommandContext): Promise<Exit> {
  const parsed = parse(args)
  if ('wrong' in parsed) return refuse(parsed.wrong, context)
  const { flags, positionals } = parsed
  if (flags.has('help') || positionals[0] === 'help') return print(help, context)
  if (flags.has('version')) return print(`${version}\n`, context)
  const [name = 'start', ...more] = positionals
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const near = nearest(name, Object.keys(commands))
    return refuse(`unknown command${quoted(name)}${near === null ? '' : `; did you mean "${near}"?`}`, context)
  }
  const [stray] = more
  if (stray !== undefined) return refuse(`"${name}" accepts no argument${quoted(stray)}`, context)
  const foreign = [...flags].find((flag) => !command.flags.includes(flag))
  if (foreign !== undefined) return refuse(`"${name}" has no option "--${foreign}"`, context)
  return command.run(flags, context)
}

async function runStart(_: ReadonlySet<Flag>, context: CommandContext): Promise<Exit> {
  await context.start()
  return null
}

async function runCheck(flags: ReadonlySet<Flag>, context: CommandContext): Promise<Exit> {
  const report = await check(context, { connects: flags.has('connect') })
  context.out(flags.has('json') ? json(checkJson(report)) : checkText(report, context.paint))
  return exitCodeOf(report)
}

async function runConfig(flags: ReadonlySet<Flag>, context: CommandContext): Promise<Exit> {
  if (flags.has('schema')) return print(json(jsonSchemaOfSettings()), context)
  const { resolved } = await resolveAll(context)
  const lines = resolved.lines().map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) }))
  if (flags.has('json')) return print(json(lines), context)
  return print(`${table(lines.map(({ name, value, origin }) => [name, shown(value), origin])).join('\n')}\n`, context)
}

function parse(args: readonly string[]): { flags: ReadonlySet<Flag>; positionals: string[] } | { wrong: string } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const flags = new Set((Object.keys(options) as Flag[]).filter((flag) => values[flag] === true)) // The keys of `options`.
    return { flags, positionals }
  } catch (error) {
    // Node's message goes on about positional arguments after its first sentence.
    const message = error instanceof Error ? (error.message.split(/[.\n]/, 1)[0] ?? '') : ''
    return { wrong: message.charAt(0).toLowerCase() + message.slice(1) + settingMeant(args) }
  }
}

/** Settings are not options; people who know other servers write `--port 8080`. */
function settingMeant(args: readonly string[]): string {
  const at = args.findIndex((arg) => arg.startsWith('--') && !Object.hasOwn(options, arg.slice(2)))
  const [, word = '', given] = /^--([\w-]{1,40})(?:=(.*))?$/s.exec(args[at] ?? '') ?? []
  const name = word.replaceAll('-', '_').toUpperCase()
  if (![...coreSettings.values()].some(({ env }) => env === name)) return ''
  const value = given ?? args[at + 1] ?? ''
  // A value that may be a secret is not repeated.
  return `; set it in the environment: ${name}=${/^\d{1,9}$/.test(value) ? value : '...'} holdfast start`
}

/** A word of the command line; an address, or anything else that is not a plain word, is not repeated. */
function quoted(word: string): string {
  return /^[\w-]{1,40}$/.test(word) ? ` "${word}"` : ''
}

function print(text: string, context: CommandContext): Exit {
  context.out(text)
  return 0
}

function refuse(why: string, context: CommandContext): Exit {
  context.err(`holdfast: ${why.replace(/[.?]?$/, (end) => (end === '?' ? '?' : '.'))} See "holdfast --help".\n`)
  return 1
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
