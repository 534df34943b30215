import type { Moment } from './event.ts'
import { times } from './policy.ts'
import type { FallbackConnected, FlapDamping, PrimaryConnected } from './state.ts'

/** Failures in a row after this loss: a store that was lost at once counts, so that it is not opened in a loop. */
export function failuresAfter<S>(state: PrimaryConnected<S> | FallbackConnected<S>, event: Moment): number {
  return event.at - state.since < times.shortLifeMs ? state.failures + 1 : 0
}

/** The shortest stay on the fallback: 0, or 5 s doubling to 30 s when the last return did not hold for a minute. */
export function nextStay<S>(
  state: PrimaryConnected<S>,
  at: number,
): { readonly damping: FlapDamping; readonly stayMs: number } {
  const { returnedAt, lastMs } = state.damping
  const servedMs = at - (returnedAt ?? state.since)
  const isFlapping = returnedAt !== null && servedMs < times.flapWindowMs
  const rememberedMs = servedMs >= times.forgetFlapsMs ? 0 : lastMs
  const stayMs = isFlapping ? Math.min(times.longestStayMs, Math.max(times.firstStayMs, rememberedMs * 2)) : 0
  return { damping: { returnedAt: null, lastMs: isFlapping ? stayMs : rememberedMs }, stayMs }
}
