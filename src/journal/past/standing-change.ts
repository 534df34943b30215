import type { KeptStanding, Standing } from '../../driver/facet/standing.ts'

/** What shows that a primary has an older state than before. */
export type BackReason = 'cluster' | 'timeline' | 'position'

/** Whether it is the same server, and its log has only grown: then it has whatever it has acknowledged. */
export function isOnward(before: Standing, now: Standing): boolean {
  const isSame = before.server !== null && before.server === now.server && before.timeline === now.timeline
  return isSame && backReason(before, now, false) === null
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
