import { type EventRun, type LayoutRun, median } from './campaign.ts'
import type { ClusterKind, Layout } from './cluster-kind.ts'
import { figuresOf } from './figures.ts'
import type { ServicePart } from './judge/measure.ts'

/** A whole run of `npm run cluster`. */
export interface ClusterReport {
  readonly at: string
  readonly kind: ClusterKind
  readonly versions: readonly string[]
  readonly layouts: readonly LayoutRun[]
}

const layoutNames: Readonly<Record<ClusterKind, Partial<Readonly<Record<Layout, string>>>>> = {
  patroni: {
    hosts: 'Three hosts in one address, asynchronous',
    haproxy: 'Behind HAProxy, asynchronous',
    synchronous: 'Three hosts in one address, `synchronous_mode`',
  },
  galera: { hosts: 'Three hosts in one address, each service with another node first' },
}

const [beginMark, endMark] = ['<!-- run: made by npm run cluster -->', '<!-- end of run -->']

/** The text of an example with the tables of a run put between its markers. Throws where they are missing. */
export function withRun(text: string, markdown: string): string {
  const [from, to] = [text.indexOf(beginMark), text.indexOf(endMark)]
  if (from < 0 || to < from) throw new Error('The markers of the run are missing.')
  return `${text.slice(0, from + beginMark.length)}\n${markdown}\n${text.slice(to)}`
}

/** The tables of a run, as Markdown. */
export function markdownOf(report: ClusterReport): string {
  const { at, versions, layouts } = report
  return [
    `Run on ${at.slice(0, 10)}: ${versions.join(', ')}; Holdfast with every setting at its default, three services with five clients`,
    'each, on a machine with two cores. Times are in milliseconds: the median of the runs, one figure for each service.',
    ...layouts.flatMap((one) => ['', ...layoutLines(report.kind, one)]),
  ].join('\n')
}

function layoutLines(kind: ClusterKind, run: LayoutRun): readonly string[] {
  const names = [...new Set(run.runs.map(({ name }) => name))]
  const { acknowledged, lost, lostByCluster, doubled, parked, miscounted } = run.verdict
  return [
    `**${layoutNames[kind][run.layout] ?? run.layout}**`,
    '',
    '| Event | Runs | Gap of the cluster | Gap of each service | Back after the cluster | Longest request | Failed requests | Writes of the fallback | Lost by the cluster |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...names.map((name) => eventLine(run.runs.filter((one) => one.name === name))),
    '',
    ...figureLines(kind, run),
    `Of ${acknowledged} acknowledged writes: ${lostByCluster.length} lost by the cluster itself (\`PRIMARY_WENT_BACK\` named ${run.missingSaid}), ${lost.length} lost otherwise, ${doubled.length} rows doubled,`,
    `${parked} rows parked, ${miscounted.length} counters wrong. Answers of 400 and above: ${countsText(run.codes)}. Logged: ${countsText(run.logged)}.`,
    `A service at rest: ${run.idlePercent.toFixed(1)} % of a core.`,
  ]
}

function figureLines(kind: ClusterKind, run: LayoutRun): readonly string[] {
  const figures = figuresOf(kind, run)
  if (figures.length === 0) return []
  const rows = figures.map(
    ({ name, value, goal, isMet }) => `| ${name} | ${value} | ${goal}${isMet ? '' : ', missed'} |`,
  )
  return ['| Figure | Measured | Goal |', '| --- | --- | --- |', ...rows, '']
}

function eventLine(runs: readonly EventRun[]): string {
  const [first] = runs
  if (first === undefined) throw new Error('unreachable: the name is of a run')
  const each = (of: (part: ServicePart) => number): string => {
    const byService = Map.groupBy(
      runs.flatMap(({ services }) => services),
      ({ service }) => service,
    )
    return [...byService.values()].map((parts) => rounded(median(parts.map(of)))).join(', ')
  }
  const sum = (of: (part: ServicePart) => number): number =>
    runs.flatMap(({ services }) => services).reduce((all, part) => all + of(part), 0)
  const failed: Record<string, number> = {}
  for (const part of runs.flatMap(({ services }) => services))
    for (const [code, count] of Object.entries(part.failed)) failed[code] = (failed[code] ?? 0) + count
  const lost = sum(({ lostByCluster }) => lostByCluster)
  const stuck = runs.filter(({ stuck }) => stuck !== null).length
  const cells = [
    `${first.name}: ${first.what}`,
    stuck === 0 ? String(runs.length) : `${runs.length} (${stuck} did not come back)`,
    rounded(median(runs.map(({ own }) => own.gapMs))),
    each(({ gapMs }) => gapMs),
    each(({ backMs }) => backMs),
    each(({ heldMs }) => heldMs),
    countsText(failed),
    String(sum(({ fallbackWrites }) => fallbackWrites)),
    lost === 0 ? '0' : `${lost}; the last ${each(({ orphanMs }) => orphanMs)} after the new primary`,
  ]
  return `| ${cells.join(' | ')} |`
}

function rounded(value: number): string {
  return Number.isNaN(value) ? '-' : String(Math.round(value))
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([code, count]) => `${count} \`${code}\``)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

/** What has to hold of a run, in sentences; empty: all of it. */
export function wrongIn({ layouts }: ClusterReport): readonly string[] {
  return layouts.flatMap(({ layout, verdict, codes, runs }) => {
    const { lost, doubled, miscounted } = verdict
    const broken = Object.keys(codes).filter((code) => / (500|412) /.test(code))
    const stuck = runs.filter((one) => one.stuck !== null)
    return [
      ...lost.slice(0, 10).map(({ token, change }) => `${layout}: ${token} lost (${JSON.stringify(change)})`),
      ...(lost.length > 10 ? [`${layout}: ${lost.length} acknowledged writes are lost`] : []),
      ...doubled.map((token) => `${layout}: ${token} is there more than once`),
      ...miscounted.map((text) => `${layout}: counter ${text}`),
      ...broken.map((code) => `${layout}: ${codes[code]} answers ${code}`),
      ...stuck.map((one) => `${layout}, ${one.name}: ${one.stuck}`),
    ]
  })
}
