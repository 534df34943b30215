import { formatOrigin, type Problem, type Severity } from '../config/problem.ts'
import type { CheckReport } from './check.ts'
import { connectionText } from './connect-text.ts'
import { table, wrap } from './layout.ts'
import type { Paint } from './paint.ts'

const order: readonly Severity[] = ['error', 'warning', 'info']
const indent = 15

/** The report for a person: what is configured, from where, what is wrong, how to mend it. */
export function checkText(report: CheckReport, paint: Paint): string {
  return [
    ...databases(report, paint),
    '',
    ...(report.connection === undefined ? [] : [...connectionText(report.connection, paint), '']),
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
  const role = report.declared ? 'fallback' : 'local'
  if (fallback === null) lines.push(...named(role, 'none'))
  else {
    lines.push(...named(role, fallback.label))
    if (fallback.path !== null && !fallback.label.includes(fallback.path))
      lines.push(...wrap(`file ${fallback.path}`, indent))
    lines.push(...wrap(`${fallback.disk.kind} disk (${fallback.disk.fileSystem}): ${fallback.disk.why}`, indent))
  }
  return [...lines, ...named('collections', report.collections.join(', ') || 'none')]
}

function named(name: string, text: string): string[] {
  const [first = '', ...rest] = wrap(text, indent)
  return [`  ${name.padEnd(indent - 2)}${first.trimStart()}`, ...rest]
}

function settings({ settings, chosen }: CheckReport, paint: Paint): string[] {
  const rows = settings
    .filter(({ name }) => chosen.has(name))
    .map(({ name, value, origin }) => [name, shown(value), formatOrigin(origin)])
  const title = paint('heading', 'Settings that differ from the default')
  if (rows.length === 0) return [title, '  none; "holdfast config" lists them all']
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
  // A problem inside a file names the file in its setting already.
  const place = from === '' || setting.split('#', 1)[0] === from ? setting : `${setting} (${from})`
  return [
    `  ${paint(severity, severity.padEnd(indent - 2))}${code}  ${paint('faint', place)}`,
    ...wrap(message, indent),
    ...wrap(`-> ${suggestion}`, indent),
  ]
}

function summary(all: readonly Problem[]): string {
  const counts = order.map((severity) => {
    const count = all.filter((problem) => problem.severity === severity).length
    return severity === 'info' ? `${count} to know` : `${count} ${severity}${count === 1 ? '' : 's'}`
  })
  return `${counts.join(', ')}.`
}

/** A value as it stands in a table: text as it is, the rest as JSON. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
