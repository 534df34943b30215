import type { CopyLine } from '../../copy/copy-line.ts'
import { copyTargetOf, wholeCopyOf } from '../../copy/whole-copy.ts'
import type { Supervisor } from '../../database/supervisor/supervisor.ts'

/** What an outage means for a collection, from memory. `whyNot`: why it is not copied, null where nothing keeps it from being. */
export function copyLineOf(
  { fallback, config }: Supervisor,
  collection: string,
  whyNot: (collection: string) => string | null,
): CopyLine {
  const whole = fallback === null ? null : wholeCopyOf(fallback, collection, copyTargetOf(config))
  const state = fallback?.copy?.state(collection) ?? null
  const { rows = 0, bytes = 0 } = state ?? {}
  if (whole !== null) return { collection, isWhole: true, asOfMs: whole.asOfMs, rows, bytes, why: null }
  const why = whyNot(collection) ?? whyNotWhole(state)
  return { collection, isWhole: false, asOfMs: null, rows, bytes, why }
}

function whyNotWhole(state: { readonly isSwept: boolean; readonly isVerified: boolean } | null): string {
  if (state === null) return 'it is not copied yet'
  if (!state.isSwept) return 'it is being copied'
  return state.isVerified ? 'it is being compared with the primary' : 'rows of it are to be compared with the primary'
}
