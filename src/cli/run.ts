import { parseArgs } from 'node:util'
import { jsonSchemaOfSettings } from '../config/json-schema.ts'
import { nearest } from '../config/nearest.ts'
import { formatOrigin } from '../config/problem.ts'
import { coreSettings } from '../config/settings-schema.ts'
import { resolveAll } from '../service/resolve.ts'
import { version } from '../service/version.ts'
import { archiveCommands } from './archive/commands.ts'
import { check, checkJson, exitCodeOf } from './check.ts'
import {
  type Command,
  type CommandContext,
  type CommandExit,
  commandOptions,
  type Flag,
  type Given,
} from './command.ts'
import { checkText, shown } from './report.ts'
import { storeCommands } from './store/commands.ts'
import { table } from './terminal.ts'

/** What `holdfast --help` prints. */
const help = `Usage: holdfast [command] [options]

Commands
  start       run the service (the default)
  check       show the configuration, where it comes from, what is wrong and how
              to fix it, and what an outage means now; exits with 2 when a value
              cannot be used; connects to no server unless --connect is given
  config      list every setting with its value and origin
  token NAME  print a new API token, once, and what to add to API_TOKENS for it
  replay [FILE]
              carry what a fallback has written to the primary: the configured
              one, while no service runs, or the one in FILE; a copy of a file,
              and a second time, do no harm
  journal list [FILE]
              list what waits to be carried
  conflicts list|list settled|show ID|take ours ID|take theirs ID|retry ID
              list, show and settle the changes that could not be carried
  archive list
              list what the archive holds: lineages, snapshots, what follows them
  archive export
              write each collection as NDJSON below tables/ of the archive, without
              private fields, for other programs; a service may go on meanwhile
  prune       delete what the primary keeps to recognize old files; a change that
              is older, and turns up later, becomes a conflict
  restore     bring the rows of the archive back: to the place of the local file,
              which must not be there, or to a folder (--to)

Options
  --json      print JSON (check, config, token), or a line of JSON for each event
              (replay, journal, conflicts, prune, restore, archive)
  --all-rows  carry each row of FILE, which was a local store (replay)
  --older-than TIME
              30d unless given; 12h or 90d, for example (prune)
  --at TIME   only what was committed until then, such as 2027-01-31T18:00:00Z
              (restore)
  --to FOLDER write the file into this folder instead (restore)
  --lineage ID
              of this lineage, not the newest (restore)
  --dry-run   print what would be restored; write nothing (restore)
  --scope COLLECTION:OPERATION
              what the token may do, such as feedback:create, orders:read or
              *:*; may be repeated (token)
  --expires DAY
              the last day on which the token counts: 2027-01-01 (token)
  --connect   also connect to the primary and report what it answers; changes
              nothing in it; exits with 3 when it, or a collection in it, cannot
              serve (check)
  --schema    print the JSON Schema of the settings files (config)
  --version   print the release
  --help      print this help

Settings come from config/default.json, config/<NODE_ENV>.json, CONFIG_FILE and
the environment. NAME_FILE sets NAME from a file that contains a secret.
`

const commands: Readonly<Record<string, Command>> = {
  start: { flags: [], run: runStart },
  check: { flags: ['json', 'connect'], run: runCheck },
  config: { flags: ['json', 'schema'], run: runConfig },
  token: {
    flags: ['json', 'scope', 'expires'],
    words: (words) => (words.length === 1 ? null : 'write "token" with a name, such as "holdfast token ingest"'),
    run: runToken,
  },
  ...storeCommands,
  ...archiveCommands,
}

/** Runs one command line, without the executable. Wrong use prints one sentence and gives 1. */
export async function run(args: readonly string[], context: CommandContext): Promise<CommandExit> {
  const parsed = parse(args)
  if ('wrong' in parsed) return refuse(parsed.wrong, context)
  const { flags, positionals, ...values } = parsed
  if (flags.has('help') || positionals[0] === 'help') return print(help, context)
  if (flags.has('version')) return print(`${version}\n`, context)
  const [name = 'start', ...more] = positionals
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const near = nearest(name, Object.keys(commands))
    return refuse(`unknown command${quoted(name)}${near === null ? '' : `; did you mean "${near}"?`}`, context)
  }
  const [stray] = more
  const wrong =
    command.words === undefined
      ? stray === undefined
        ? null
        : `"${name}" accepts no argument${quoted(stray)}`
      : command.words(more)
  if (wrong !== null) return refuse(wrong, context)
  const foreign = [...flags].find((flag) => !command.flags.includes(flag))
  if (foreign !== undefined) return refuse(`"${name}" has no option "--${foreign}"`, context)
  return command.run({ flags, words: more, ...values }, context)
}

async function runStart(_: Given, context: CommandContext): Promise<CommandExit> {
  await context.start()
  return null
}

async function runCheck({ flags }: Given, context: CommandContext): Promise<CommandExit> {
  const report = await check(context, { connects: flags.has('connect') })
  context.out(flags.has('json') ? json(checkJson(report)) : checkText(report, context.paint))
  return exitCodeOf(report)
}

async function runConfig({ flags }: Given, context: CommandContext): Promise<CommandExit> {
  if (flags.has('schema')) return print(json(jsonSchemaOfSettings()), context)
  const { resolved } = await resolveAll(context)
  const lines = resolved.lines().map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) }))
  if (flags.has('json')) return print(json(lines), context)
  return print(`${table(lines.map(({ name, value, origin }) => [name, shown(value), origin])).join('\n')}\n`, context)
}

async function runToken(given: Given, context: CommandContext): Promise<CommandExit> {
  const { tokenCommand } = await import('./token.ts')
  return tokenCommand(given, context)
}

/** A command line, before its first word is known to be a command. */
type Parsed = Omit<Given, 'words'> & { readonly positionals: readonly string[] }

function parse(args: readonly string[]): Parsed | { readonly wrong: string } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: commandOptions, allowPositionals: true })
    const flags = new Set((Object.keys(commandOptions) as Flag[]).filter((flag) => values[flag] !== undefined)) // Its own keys.
    const { scope = [], expires = null, 'older-than': olderThan = null, at = null, to = null, lineage = null } = values
    return { flags, positionals, olderThan, at, to, lineage, scopes: scope, expires }
  } catch (error) {
    // Node's message goes on about positional arguments after its first sentence.
    const message = error instanceof Error ? (error.message.split(/[.\n]/, 1)[0] ?? '') : ''
    return { wrong: message.charAt(0).toLowerCase() + message.slice(1) + settingMeant(args) }
  }
}

/** Settings are not options; people who know other servers write `--port 8080`. */
function settingMeant(args: readonly string[]): string {
  const at = args.findIndex((arg) => arg.startsWith('--') && !Object.hasOwn(commandOptions, arg.slice(2)))
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

function print(text: string, context: CommandContext): CommandExit {
  context.out(text)
  return 0
}

function refuse(why: string, context: CommandContext): CommandExit {
  context.err(`holdfast: ${why.replace(/[.?]?$/, (end) => (end === '?' ? '?' : '.'))} See "holdfast --help".\n`)
  return 1
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
