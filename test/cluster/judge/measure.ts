import type { Answered, Change } from '../load/ledger.ts'
import { type Beat, longestGap } from '../member/pulse.ts'
import type { LostChange } from './judge.ts'

/** One fault as it went, in milliseconds of `performance.now()`. */
export interface EventTimes {
  readonly name: string
  readonly beganMs: number
  readonly endedMs: number
  /** The member that it met. */
  readonly member: number | null
}

/** What the cluster itself did in a fault. */
export interface OwnPart {
  /** The longest time in which it took no write. */
  readonly gapMs: number
  /** When it took writes again. */
  readonly readyMs: number
}

/** What one service and its clients saw of a fault. */
export interface ServicePart {
  readonly service: number
  /** The longest time without a write that the primary acknowledged. */
  readonly gapMs: number
  /** From the moment when the cluster took writes again to the first write that the primary acknowledged. */
  readonly backMs: number
  /** The longest request that was answered well. */
  readonly heldMs: number
  /** Answers of 500 and above, and none, by code. */
  readonly failed: Readonly<Record<string, number>>
  readonly requests: number
  /** Writes that the fallback acknowledged. */
  readonly fallbackWrites: number
  /** Acknowledged writes that the cluster lost, and how long after its new primary was ready the last one was. */
  readonly lostByCluster: number
  readonly orphanMs: number
  /** Writes that were refused as read-only although the primary had acknowledged one again. */
  readonly readOnlyAfter: number
}

/** The part of the cluster: the longest gap among the members that live on. */
export function ownPart(beats: readonly Beat[], times: EventTimes, hasOneWriter: boolean): OwnPart {
  const others = beats.filter(({ member }) => hasOneWriter || member !== times.member)
  if (hasOneWriter) {
    const first = others.find(({ doneMs, member }) => doneMs > times.beganMs && member !== times.member)
    const gap = longestGap(
      others.map(({ doneMs }) => doneMs),
      times.beganMs,
      times.endedMs,
    )
    return { gapMs: gap.ms, readyMs: first?.doneMs ?? gap.endMs }
  }
  // Each of them takes writes: the one that is first to do so again counts.
  const gaps = [...Map.groupBy(others, ({ member }) => member).values()].map((own) =>
    longestGap(
      own.map(({ doneMs }) => doneMs),
      times.beganMs,
      times.endedMs,
    ),
  )
  const least = gaps.sort((a, b) => a.ms - b.ms)[0] ?? { ms: 0, endMs: times.beganMs }
  return { gapMs: least.ms, readyMs: least.endMs }
}

/** The part of one service. */
export function servicePart(
  service: number,
  answers: readonly Answered[],
  lost: readonly LostChange[],
  times: EventTimes,
  own: OwnPart,
): ServicePart {
  const mine = answers.filter((one) => one.service === service)
  const within = mine.filter(({ doneMs, sentMs }) => doneMs >= times.beganMs && sentMs <= times.endedMs)
  const written = mine.filter(({ durability }) => durability === 'primary').map(({ doneMs }) => doneMs)
  const failed: Record<string, number> = {}
  for (const { status, code } of within) {
    if (status !== 0 && status < 500) continue
    const name = status === 0 ? 'no answer' : status === 503 ? String(code) : `${status} ${code}`
    failed[name] = (failed[name] ?? 0) + 1
  }
  const ownLost = lost.filter(({ change }) => change.service === service && isWithin(change, times))
  const lastLost = Math.max(0, ...ownLost.map(({ change }) => change.doneMs - own.readyMs))
  // What an orphan acknowledged meanwhile is no return.
  const back = written.filter((doneMs) => doneMs > own.readyMs + lastLost).sort((a, b) => a - b)[0]
  return {
    service,
    gapMs: longestGap(written, times.beganMs, times.endedMs).ms,
    backMs: back === undefined ? Number.NaN : back - own.readyMs,
    heldMs: Math.max(
      0,
      ...within.filter(({ status }) => status > 0 && status < 500).map((one) => one.doneMs - one.sentMs),
    ),
    failed,
    requests: within.length,
    fallbackWrites: within.filter(({ durability }) => durability?.startsWith('journal')).length,
    lostByCluster: ownLost.length,
    orphanMs: lastLost,
    readOnlyAfter: within.filter(({ code, sentMs }) => code === 'STORE_READ_ONLY' && sentMs > (back ?? times.endedMs))
      .length,
  }
}

function isWithin({ doneMs }: Change, { beganMs, endedMs }: EventTimes): boolean {
  return doneMs >= beganMs - 2_000 && doneMs <= endedMs
}
