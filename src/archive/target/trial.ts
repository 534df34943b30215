import type { Clock } from '../../database/store/clock.ts'
import { type ArchiveTarget, fenceKey, TargetError, type TargetFaultKind } from './target.ts'

/** What an archive needs of its target, in the order in which it is tried. */
export type TrialStep = 'store' | 'put-if-absent' | 'read' | 'list' | 'remove'

/** One of them. */
export interface TriedStep {
  readonly step: TrialStep
  /** `ignored`: the target accepts it, and does something else. */
  readonly outcome: 'honoured' | 'ignored' | 'failed'
  /** What failed, and what to do; null unless it did. */
  readonly fault: { readonly kind: TargetFaultKind; readonly summary: string; readonly hint: string } | null
}

/** The outcome of `tryTarget`. */
export interface TargetTrial {
  readonly label: string
  /** Without those behind a failed one that they need. */
  readonly steps: readonly TriedStep[]
  readonly tookMs: number
  /** How far the clock of this machine is ahead of the target's; null: not known. */
  readonly clockAheadMs: number | null
}

/**
 * Stores an object under a name of its own, tries to store another one under that name, reads, lists and removes it. Leaves
 * no object, unless removing fails; touches no object of an archive. Rejects with nothing but the reason of `signal`.
 *
 * @param id A word that nobody else uses.
 */
export async function tryTarget(
  target: ArchiveTarget,
  clock: Clock,
  id: string,
  signal: AbortSignal,
): Promise<TargetTrial> {
  const begun = clock.now()
  const steps: TriedStep[] = []
  const prefix = 'check/'
  const key = `${prefix}${id}`
  const [body, other] = [textBytes(`first of ${id}`), textBytes(`second of ${id}`)]
  const attempt = async (step: TrialStep, work: () => Promise<boolean>): Promise<boolean> => {
    const tried = await triedStep(step, work)
    signal.throwIfAborted()
    steps.push(tried)
    return tried.outcome === 'honoured'
  }
  let hadFence = true
  const isStored = await attempt('store', async () => {
    hadFence = (await target.get(fenceKey, signal)) !== null
    return (await target.putNew(key, body, signal)) === 'stored'
  })
  if (isStored) {
    const isFencing = await attempt(
      'put-if-absent',
      async () => target.isFencing === true && (await target.putNew(key, other, signal)) === 'exists',
    )
    await attempt('read', async () => {
      const found = await target.get(key, signal)
      // Where the second was stored as well, either may be there.
      return found !== null && (!isFencing || Buffer.compare(found, body) === 0)
    })
    await attempt('list', async () => {
      for await (const page of target.list(prefix, undefined, signal))
        if (page.some((one) => one.key === key)) return true
      return false
    })
    await attempt('remove', async () => {
      await target.remove(key, signal)
      if (!hadFence) await target.remove(fenceKey, signal)
      return (await target.get(key, signal)) === null
    })
  }
  return { label: target.label, steps, tookMs: clock.now() - begun, clockAheadMs: target.clockAheadMs ?? null }
}

async function triedStep(step: TrialStep, work: () => Promise<boolean>): Promise<TriedStep> {
  try {
    return { step, outcome: (await work()) ? 'honoured' : 'ignored', fault: null }
  } catch (error) {
    const known = error instanceof TargetError ? error : null
    const summary = known?.message ?? (error instanceof Error ? error.message : String(error))
    const fault = { kind: known?.kind ?? 'odd', summary, hint: known?.hint ?? 'Check ARCHIVE_URL.' } as const
    return { step, outcome: 'failed', fault }
  }
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
