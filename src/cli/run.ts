import { parseArgs } from 'node:util'
import { jsonSchemaOfSettings } from '../config/json-schema.ts'
import { nearest } from '../config/nearest.ts'
import { formatOrigin } from '../config/problem.ts'
import { coreSettings } from '../config/settings-schema.ts'
import { resolveAll } from '../service/resolve.ts'
import { version } from '../service/version.ts'
import { check, checkJson, exitCodeOf } from './check.ts'
import { help } from './help.ts'
import { table } from './layout.ts'
import type { Paint } from './paint.ts'
import { checkText, shown } from './report.ts'

/** Where a command runs and what it may touch. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly paint: Paint
  out(text: string): void
  err(text: string): void
  /** Runs the service; resolves once it has taken over. */
  start(): Promise<unknown>
}

/** What a command leaves: the process's exit code, or null when the service has taken over. */
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
  /** Besides `--help` and `--version`. */
  readonly flags: readonly Flag[]
  run(flags: ReadonlySet<Flag>, around: Surroundings): Promise<Exit>
}

const commands: Readonly<Record<string, Command>> = {
  start: { flags: [], run: runStart },
  check: { flags: ['json', 'connect'], run: runCheck },
  config: { flags: ['json', 'schema'], run: runConfig },
}

/** Runs one command line, without the executable. Wrong use is one sentence and 1. */
export async function run(args: readonly string[], around: Surroundings): Promise<Exit> {
  const parsed = parse(args)
  if ('wrong' in parsed) return refuse(parsed.wrong, around)
  const { flags, positionals } = parsed
  if (flags.has('help') || positionals[0] === 'help') return print(help, around)
  if (flags.has('version')) return print(`${version}\n`, around)
  const [name = 'start', ...more] = positionals
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const near = nearest(name, Object.keys(commands))
    return refuse(`there is no command "${name}"${near === null ? '' : `; did you mean "${near}"?`}`, around)
  }
  const [stray] = more
  if (stray !== undefined) return refuse(`"${name}" takes no argument "${stray}"`, around)
  const foreign = [...flags].find((flag) => !command.flags.includes(flag))
  if (foreign !== undefined) return refuse(`"${name}" takes no option "--${foreign}"`, around)
  return command.run(flags, around)
}

async function runStart(_: ReadonlySet<Flag>, around: Surroundings): Promise<Exit> {
  await around.start()
  return null
}

async function runCheck(flags: ReadonlySet<Flag>, around: Surroundings): Promise<Exit> {
  const report = await check(around, { connects: flags.has('connect') })
  around.out(flags.has('json') ? json(checkJson(report)) : checkText(report, around.paint))
  return exitCodeOf(report)
}

async function runConfig(flags: ReadonlySet<Flag>, around: Surroundings): Promise<Exit> {
  if (flags.has('schema')) return print(json(jsonSchemaOfSettings()), around)
  const { resolved } = await resolveAll(around)
  const lines = resolved.lines().map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) }))
  if (flags.has('json')) return print(json(lines), around)
  return print(`${table(lines.map(({ name, value, origin }) => [name, shown(value), origin])).join('\n')}\n`, around)
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

/** Settings come from the environment and from files; whoever knows other servers writes `--port 8080`. */
function settingMeant(args: readonly string[]): string {
  const at = args.findIndex((arg) => arg.startsWith('--') && !Object.hasOwn(options, arg.slice(2)))
  const [, word = '', given] = /^--([\w-]{1,40})(?:=(.*))?$/s.exec(args[at] ?? '') ?? []
  const name = word.replaceAll('-', '_').toUpperCase()
  if (![...coreSettings.values()].some(({ env }) => env === name)) return ''
  const value = given ?? args[at + 1] ?? ''
  // Only what cannot be a secret is repeated.
  return `; settings are given in the environment: ${name}=${/^\d{1,9}$/.test(value) ? value : '...'} holdfast start`
}

function print(text: string, around: Surroundings): Exit {
  around.out(text)
  return 0
}

function refuse(why: string, around: Surroundings): Exit {
  around.err(`holdfast: ${why.replace(/[.?]?$/, (end) => (end === '?' ? '?' : '.'))} See "holdfast --help".\n`)
  return 1
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
