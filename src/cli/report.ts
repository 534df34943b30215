import type { TargetTrial, TrialStep, TriedStep } from '../archive/target/trial.ts'
import { formatOrigin, type Problem, type Severity } from '../config/problem.ts'
import { copySentence } from '../copy/copy-line.ts'
import type { FaultStatus } from '../database/supervisor/connection-status.ts'
import type { CheckReport, FallbackReport } from './check.ts'
import type { ConnectionReport, FallbackState, PrimaryConnection, TriedHost } from './connect.ts'
import type { OutageReport } from './outage.ts'
import { type Paint, table, wrap } from './terminal.ts'

const order: readonly Severity[] = ['error', 'warning', 'info']
const indent = 15

/** The report as text: what is configured, from where, what is wrong, how to fix it. */
export function checkText(report: CheckReport, paint: Paint): string {
  return [
    ...databases(report, paint),
    '',
    ...(report.outage === null ? [] : [...outageText(report.outage, paint), '']),
    ...(report.connection === undefined ? [] : [...connectionText(report.connection, report.declared, paint), '']),
    ...settings(report, paint),
    '',
    ...problems(report.problems, paint),
    '',
  ].join('\n')
}

function databases(report: CheckReport, paint: Paint): string[] {
  const { fallback, primary } = report
  const lines = [paint('heading', 'Databases')]
  lines.push(
    ...named(
      'primary',
      primary?.label ?? (report.declared ? 'declared, but not usable: see below' : `none: ${report.absence}`),
    ),
  )
  if (primary?.file) lines.push(...fileLines({ label: primary.label, ...primary.file }))
  const role = report.declared ? 'fallback' : 'local'
  lines.push(...named(role, fallback?.label ?? 'none'))
  if (fallback !== null) lines.push(...fileLines(fallback))
  const isArchiveDeclared = report.problems.some(({ code }) => code === 'ARCHIVE_URL_INVALID')
  if (report.archive !== null) lines.push(...named('archive', report.archive))
  else if (isArchiveDeclared) lines.push(...named('archive', 'declared, but not usable: see below'))
  return [...lines, ...named('collections', report.collections.join(', ') || 'none')]
}

function fileLines({ label, path, disk }: Pick<FallbackReport, 'label' | 'path' | 'disk'>): string[] {
  const file = path === null || label.includes(path) ? [] : wrap(`file ${path}`, indent)
  return [...file, ...wrap(`${disk.kind} disk (${disk.fileSystem}). ${disk.why}`, indent)]
}

function named(name: string, text: string, margin = indent): string[] {
  const [first = '', ...rest] = wrap(text, margin)
  return [`  ${name.padEnd(margin - 2)}${first.trimStart()}`, ...rest]
}

/** What an outage means now. */
function outageText({ hasFallback, isWritable, lines }: OutageReport, paint: Paint): string[] {
  const title = paint('heading', 'Without the primary')
  if (!hasFallback) return [title, '  no fallback: requests get 503 until the primary is back']
  const now = Date.now()
  return [title, ...lines.flatMap((line) => named(line.collection, copySentence(line, now, isWritable)))]
}

function connectionText(
  { primary, fallback, archive, advice }: ConnectionReport,
  declared: boolean,
  paint: Paint,
): string[] {
  const untried = declared ? 'not tried: its address cannot be used' : 'none'
  return [
    paint('heading', 'Connection'),
    ...(primary === null ? named('primary', untried) : primaryLines(primary, paint)),
    ...(fallback === null ? [] : named(declared ? 'fallback' : 'local', fallbackText(fallback))),
    ...(archive === null ? [] : archiveLines(archive, paint)),
    '',
    paint('heading', 'Advice'),
    ...(advice.length === 0 ? ['  none'] : advice.flatMap((text) => named('-', text, 4))),
  ]
}

/** What an archive's target does, in words. */
const steps: Readonly<Record<TrialStep, string>> = {
  store: 'store',
  'put-if-absent': 'put if absent',
  read: 'read',
  list: 'list',
  remove: 'delete',
}

function archiveLines({ steps: tried, tookMs }: TargetTrial, paint: Paint): string[] {
  const of = (outcome: TriedStep['outcome']): string =>
    tried.flatMap((one) => (one.outcome === outcome ? [steps[one.step]] : [])).join(', ')
  const [honoured, ignored] = [of('honoured'), of('ignored')]
  const lines = tried.some(({ fault }) => fault !== null)
    ? [`  ${paint('error', 'archive'.padEnd(indent - 2))}${honoured === '' ? 'cannot be used' : `honours ${honoured}`}`]
    : named('archive', `honours ${honoured || 'nothing'} (${Math.round(tookMs)} ms)`)
  if (ignored !== '') lines.push(...wrap(`ignores ${ignored}`, indent))
  for (const { step, fault } of tried) {
    if (fault === null) continue
    lines.push(...named(steps[step], `${fault.kind}: ${fault.summary}`, 17), ...wrap(`-> ${fault.hint}`, 17))
  }
  return lines
}

function primaryLines(trial: PrimaryConnection, paint: Paint): string[] {
  const { outcome, tried, fault } = trial
  if (outcome === 'not-tried') return named('primary', 'a file of this machine: checked, not opened')
  const others = tried.filter(({ label }) => label !== trial.served && (outcome === 'reached' || tried.length > 1))
  const passed = others.flatMap((one) => named('host', `${one.label}: ${hostText(one)}`))
  if (outcome === 'failed') {
    return [
      `  ${paint('error', 'primary'.padEnd(indent - 2))}cannot serve`,
      ...named('fault', faultText(fault)),
      ...wrap(`-> ${fault?.hint ?? ''}`, indent),
      ...passed,
    ]
  }
  const roundTrip = trial.roundTripMs === null ? '' : `; round trip ${trial.roundTripMs} ms`
  const pairs: readonly (readonly [string, string | null])[] = [
    ['primary', `connected to ${trial.served} in ${trial.connectMs} ms${roundTrip}`],
    ['version', trial.version],
    ['encryption', encryptionText(trial.encryption)],
    ['pooler', trial.pooled ? 'yes: transactions share connections' : 'none detected'],
    ['cluster', clusterText(trial)],
    ['tables', tablesText(trial)],
    ['own tables', ownTablesText(trial)],
    ['writes', trial.isReadOnly ? 'none: the address asks for read-only' : null],
  ]
  return [...pairs.flatMap(([name, text]) => (text === null ? [] : named(name, text))), ...passed]
}

/** What a host that does not serve is. */
function hostText({ fault, standing }: TriedHost): string {
  const timeline = standing?.timeline == null ? '' : `, timeline ${standing.timeline}`
  if (standing === null) return fault === null ? 'can serve, too' : faultText(fault)
  if (standing.isWritable) return `accepts writes${timeline}${fault === null ? '' : `; ${faultText(fault)}`}`
  return fault === null || fault.kind === 'read-only' ? `standby${timeline}` : `${faultText(fault)}${timeline}`
}

function encryptionText(encryption: string | null): string | null {
  if (encryption === 'none') return 'none: the connection is not encrypted'
  return encryption === 'local' ? 'not needed: a socket of this machine' : encryption
}

/** The server's own words where it has some: its manual explains them. Else the place of one of several members. */
function clusterText({ cluster = null, tried, served }: PrimaryConnection): string | null {
  const { members = null, timeline = null } = tried.find(({ label }) => label === served)?.standing ?? {}
  if (cluster === null && (members === null || members < 2)) return null
  if (cluster === null) return `${members} members${timeline === null ? '' : `; timeline ${timeline}`}`
  return Object.entries(cluster)
    .map(([name, value]) => `${name} = ${value}`)
    .join('; ')
}

function tablesText({ mayMakeTables, schema }: PrimaryConnection): string | null {
  if (mayMakeTables === null) return null
  const where = schema === null ? '' : ` in "${schema}"`
  return mayMakeTables ? `the role may create tables${where}` : `the role may not create tables${where}`
}

function ownTablesText({ ownTables, mayMakeTables, mayWriteOwnTables }: PrimaryConnection): string | null {
  switch (ownTables) {
    case 'ours':
      return "Holdfast's tables exist and accept inserts and deletes"
    case 'newer':
      return "Holdfast's tables exist, created by a later release"
    case 'absent':
      if (mayWriteOwnTables !== null) return "Holdfast's tables exist, but the role may not use them"
      return mayMakeTables ? "Holdfast's tables do not exist yet" : "Holdfast's tables do not exist"
    default:
      return null
  }
}

function fallbackText({ path, bytes }: FallbackState): string {
  if (path === null) return 'not in a file; created when needed'
  return bytes === null ? 'the file does not exist yet; created when needed' : `the file exists (${bytes} bytes)`
}

function faultText(fault: FaultStatus | null): string {
  return fault === null ? '' : `${fault.kind} ${fault.code}: ${fault.summary}`
}

function settings({ settings, chosen }: CheckReport, paint: Paint): string[] {
  const rows = settings
    .filter(({ name }) => chosen.has(name))
    .map(({ name, value, origin }) => [name, shown(value), formatOrigin(origin)])
  const title = paint('heading', 'Settings that differ from the default')
  if (rows.length === 0) return [title, '  none; "holdfast config" lists all settings']
  return [title, ...table(rows)]
}

function problems(all: readonly Problem[], paint: Paint): string[] {
  if (all.length === 0) return [paint('heading', 'Problems'), '  none']
  const sorted = order.flatMap((severity) => all.filter((problem) => problem.severity === severity))
  return [
    paint('heading', 'Problems'),
    ...sorted.flatMap((problem, at) => [...(at === 0 ? [] : ['']), ...problemLines(problem, paint)]),
    '',
    summary(all),
  ]
}

function problemLines(problem: Problem, paint: Paint): string[] {
  const { severity, code, setting, origin, message, suggestion } = problem
  const from = origin === null ? '' : formatOrigin(origin)
  // The setting of a problem in a file already names the file.
  const place = from === '' || setting.split('#', 1)[0] === from ? setting : `${setting} (${from})`
  return [
    `  ${paint(severity, severity.padEnd(indent - 2))}${code}  ${paint('faint', place)}`,
    ...wrap(message, indent),
    ...suggestionLines(suggestion),
  ]
}

/** SQL stays on a line of its own: a line break within a text would change the text. */
function suggestionLines(suggestion: string): string[] {
  const [, advice = suggestion, sql = null] = /^(.*? run:) ((?:create|alter|grant) .*)$/s.exec(suggestion) ?? []
  return [...wrap(`-> ${advice}`, indent), ...(sql === null ? [] : [`${' '.repeat(indent)}${sql}`])]
}

function summary(all: readonly Problem[]): string {
  const counts = order.map((severity) => {
    const count = all.filter((problem) => problem.severity === severity).length
    return `${count} ${severity === 'info' ? 'note' : severity}${count === 1 ? '' : 's'}`
  })
  return `${counts.join(', ')}.`
}

/** A value in a table: text as it is, anything else as JSON. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
