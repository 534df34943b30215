import type { KeptStanding, Standing } from '../../driver/facet/standing.ts'

/** What shows that a primary has an older state than before. */
export type BackReason = 'cluster' | 'timeline' | 'position'

/**
 * Whether it is the same server, and has whatever it has acknowledged. One that is opened again must also show that its log
 * has grown: not every server has another name after a restart.
 */
export function isSame(before: Standing, now: Standing, isOpening: boolean): boolean {
  if (before.server !== now.server || before.timeline !== now.timeline) return false
  if (backReason(before, now, false) !== null) return false
  return !isOpening || (now.server !== null && isLonger(before, now))
}

/** Whether the log of the same timeline has only grown: whatever was acknowledged before is in it. */
export function hasGrown(before: Standing, now: Standing): boolean {
  const isKnown = before.cluster !== null && before.cluster === now.cluster && before.timeline !== null
  return isKnown && before.timeline === now.timeline && isLonger(before, now)
}

function isLonger({ position: before }: Standing, { position: now }: Standing): boolean {
  return before !== null && now !== null && now >= before
}

/**
 * What shows in a standing that the primary has an older state than before; null: nothing does. The log of an earlier
 * timeline may have been longer than the part that was promoted; `acrossTimelines`: nothing else can tell what was lost.
 */
export function backReason(before: KeptStanding, now: KeptStanding, acrossTimelines: boolean): BackReason | null {
  if (before.cluster !== null && now.cluster !== null && before.cluster !== now.cluster) return 'cluster'
  if (before.timeline === null || now.timeline === null) return null
  if (now.timeline < before.timeline) return 'timeline'
  if (before.position === null || now.position === null || now.position >= before.position) return null
  return acrossTimelines || now.timeline === before.timeline ? 'position' : null
}
