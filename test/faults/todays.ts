/** The suite runs a third of the directed schedules, another one each day; `npm run faults -- --schedules` runs all of them. */
const parts = 3

const dayMs = 86_400_000

/** Those of this day (in UTC). */
export function todays<S>(schedules: readonly S[], nowMs: number = Date.now()): readonly S[] {
  const today = Math.floor(nowMs / dayMs) % parts
  return schedules.filter((_, at) => at % parts === today)
}
