import { type LayoutRun, median } from './campaign.ts'
import type { ClusterKind } from './cluster-kind.ts'
import type { OwnPart, ServicePart } from './judge/measure.ts'

/** A figure with its goal. */
export interface ClusterFigure {
  readonly name: string
  readonly value: string
  readonly goal: string
  readonly isMet: boolean
}

/** A service's part of one run, next to the cluster's own. */
interface Seen {
  readonly own: OwnPart
  readonly part: ServicePart
}

/** The figures of a layout whose events were run; times are medians of all services and runs. */
export function figuresOf(kind: ClusterKind, { runs, layout }: LayoutRun): readonly ClusterFigure[] {
  const seen = (name: string): readonly Seen[] =>
    runs.filter((one) => one.name === name).flatMap(({ own, services }) => services.map((part) => ({ own, part })))
  const planned = seen(kind === 'patroni' ? 'switchover' : 'shutdown')
  const kill = seen(kind === 'patroni' ? 'kill-both' : 'kill')
  const orphan = seen('kill-agent')
  const readOnly = runs.flatMap(({ services }) => services).reduce((sum, one) => sum + one.readOnlyAfter, 0)
  const isDirect = layout !== 'haproxy'
  const figures = [
    planned.length > 0 && count('failed requests of a planned change', planned, failedOf),
    planned.length > 0 && count('writes of the fallback in it', planned, ({ part }) => part.fallbackWrites),
    // Behind HAProxy its checks decide, once a second.
    planned.length > 0 && isDirect && time('held in it, beyond the gap of the cluster', planned, beyondOf, 300),
    kind === 'patroni' &&
      kill.length > 0 &&
      isDirect &&
      time('back after SIGKILL, from the new primary on', kill, ({ part }) => part.backMs, 500),
    kind === 'galera' && kill.length > 0 && time('gap after SIGKILL, beyond that of the cluster', kill, gapOf, 500),
    kind === 'galera' &&
      kill.length > 0 &&
      count('writes of the fallback after it', kill, ({ part }) => part.fallbackWrites),
    kind === 'patroni' &&
      orphan.length > 0 &&
      isDirect &&
      time('an orphan left, from the new primary on', orphan, ({ part }) => part.orphanMs, 2_500),
    runs.length > 0 &&
      !isDirect && {
        ...{ name: '`STORE_READ_ONLY` after the return', value: String(readOnly), goal: '0', isMet: readOnly === 0 },
      },
  ]
  return figures.filter((one) => one !== false)
}

function failedOf({ part }: Seen): number {
  return Object.values(part.failed).reduce((sum, one) => sum + one, 0)
}

function beyondOf({ own, part }: Seen): number {
  return part.heldMs - own.gapMs
}

function gapOf({ own, part }: Seen): number {
  return part.gapMs - own.gapMs
}

function count(name: string, seen: readonly Seen[], of: (one: Seen) => number): ClusterFigure {
  const value = seen.reduce((sum, one) => sum + of(one), 0)
  return { name, value: String(value), goal: '0', isMet: value === 0 }
}

function time(name: string, seen: readonly Seen[], of: (one: Seen) => number, limitMs: number): ClusterFigure {
  const values = seen.map(of)
  const middle = median(values)
  const most = Math.round(Math.max(...values))
  const value = `${Math.round(middle)} ms (${Math.round(Math.min(...values))} to ${most})`
  return { name, value, goal: `${limitMs} ms`, isMet: middle <= limitMs }
}
