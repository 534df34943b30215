import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Problem } from '../../config/problem.ts'
import { diskOf, nearestExisting } from '../../disk/disk.ts'
import { archiveProblem, keepsTooMuchProblem, notFencingProblem, problemOfFailure } from '../problems.ts'
import { TargetError } from './target.ts'
import type { TargetTrial, TriedStep } from './trial.ts'
import type { ArchivePlace } from './url.ts'

/** Stores refuse requests whose clock differs by 15 minutes. */
const clockMaxMs = 5 * 60_000

/** Problems that a trial found: as the service would report them. Pure. */
export function trialProblems(trial: TargetTrial | null): readonly Problem[] {
  if (trial === null) return []
  return trial.steps.flatMap((tried) => {
    const problem = problemOf(trial.label, tried)
    return problem === null ? [] : [problem]
  })
}

function problemOf(label: string, { step, outcome, fault }: TriedStep): Problem | null {
  if (outcome === 'honoured') return null
  const error = fault === null ? null : new TargetError(fault.kind, fault.summary, fault.hint)
  if (step === 'remove') return keepsTooMuchProblem(label, error ?? new Error('removing has no effect.'))
  if (error !== null) return problemOfFailure(label, error)
  if (step === 'put-if-absent') return notFencingProblem(label)
  const message = `The archive ${label} does not ${step} what was stored there.`
  return archiveProblem('ARCHIVE_UNREACHABLE', 'warning', message, 'Use another store: it loses objects.')
}

/** Advice about a place, one sentence each. `file`: what is archived; null: not known. Never rejects. */
export async function placeAdvice(place: ArchivePlace, file: string | null): Promise<readonly string[]> {
  if (place.kind === 's3') {
    const { protocol, hostname } = new URL(place.address.endpoint)
    if (protocol === 'https:' || /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) return []
    return ['Rows go to the archive without encryption: use https in its endpoint, unless the network is your own.']
  }
  const { kind } = await diskOf(place.path, null)
  if (kind === 'ephemeral') {
    return [
      "The archive's folder is on an ephemeral disk and is lost with the container: mount a volume there, or use a bucket.",
    ]
  }
  const isShared = file !== null && (await deviceOf(place.path)) === (await deviceOf(dirname(file)))
  return isShared ? ["The archive's folder is on the disk of the database, and is lost with it: use another disk."] : []
}

/** Advice where the clocks differ so much that requests will soon be refused. Pure. */
export function clockAdvice(trial: TargetTrial | null): readonly string[] {
  const aheadMs = trial?.clockAheadMs ?? 0
  if (Math.abs(aheadMs) < clockMaxMs) return []
  const minutes = Math.round(Math.abs(aheadMs) / 60_000)
  const way = aheadMs > 0 ? 'ahead of' : 'behind'
  return [
    `The clock of this machine is ${minutes} minutes ${way} the archive's, which refuses requests from 15 minutes on: set it.`,
  ]
}

async function deviceOf(path: string): Promise<number | null> {
  const found = await stat(await nearestExisting(path)).catch(() => null)
  return found?.dev ?? null
}
