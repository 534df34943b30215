import type { Happening, Moment } from './event.ts'
import { times } from './policy.ts'
import type { FallbackConnected, FlapDamping, Loss, PrimaryConnected } from './state.ts'

/** Failures in a row after this loss: a store that was lost at once counts, so that it is not opened in a loop. */
export function failuresAfter<S>(state: PrimaryConnected<S> | FallbackConnected<S>, event: Moment): number {
  return event.at - state.since < times.shortLifeMs ? state.failures + 1 : 0
}

/**
 * What the loss of this primary means: a stay of 0, or 5 s doubling to 30 s when the last return did not hold for a minute.
 * What is remembered concerns the host that was lost; another one starts at 0.
 */
export function lossOf<S>(
  state: PrimaryConnected<S>,
  { at, host: lost, failoverMs = 0 }: Moment & Extract<Happening<S>, { type: 'store.lost' }>,
): { readonly damping: FlapDamping; readonly loss: Loss } {
  const { returnedAt, lastMs } = state.damping
  const host = lost ?? null
  const servedMs = at - (returnedAt ?? state.since)
  const isFlapping = returnedAt !== null && servedMs < times.flapWindowMs
  const rememberedMs = servedMs >= times.forgetFlapsMs || host !== state.damping.host ? 0 : lastMs
  const stayMs = isFlapping ? Math.min(times.longestStayMs, Math.max(times.firstStayMs, rememberedMs * 2)) : 0
  const damping = { returnedAt: null, lastMs: isFlapping ? stayMs : rememberedMs, host }
  return { damping, loss: { stayMs, host, hasOthers: failoverMs > 0 } }
}
