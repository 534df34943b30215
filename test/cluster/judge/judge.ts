import type { Change, Ledger, LedgerRow } from '../load/ledger.ts'
import type { Beat } from '../member/pulse.ts'

/** A row of the collection, as the cluster has it. */
export interface ServiceRow {
  readonly id: string
  readonly token: string
  readonly value: number
}

/** What the cluster has in the end, and what is known of how it came to it. */
export interface ClusterEvidence {
  readonly rows: readonly ServiceRow[]
  /** The ids of rows of which an entry was parked: kept, for a person to decide. */
  readonly parked: ReadonlySet<string>
  readonly beats: readonly Beat[]
  readonly forks: ReadonlyMap<number, bigint>
}

/** A write that was acknowledged and is not there. */
export interface LostChange {
  readonly token: string
  readonly change: Change
}

/** What became of what the clients were told. */
export interface ClusterVerdict {
  readonly acknowledged: number
  /** Lost although the cluster kept what was written at that moment; and by the cluster itself: beyond the end of its timeline. */
  readonly lost: readonly LostChange[]
  readonly lostByCluster: readonly LostChange[]
  /** Tokens of rows that are there more than once. */
  readonly doubled: readonly string[]
  readonly parked: number
  /** Counters that are not what their increments make them. */
  readonly miscounted: readonly string[]
}

/** Looks for everything that was acknowledged. */
export function judgeCluster(ledger: Ledger, evidence: ClusterEvidence): ClusterVerdict {
  const byToken = Map.groupBy(evidence.rows, ({ token }) => token)
  const lost: LostChange[] = []
  const lostByCluster: LostChange[] = []
  let parked = 0
  for (const row of ledger.rows) {
    const found = byToken.get(row.token) ?? []
    const missing = missingOf(row, found[0]?.value ?? null)
    if (missing.length === 0) continue
    if (row.id !== null && evidence.parked.has(row.id)) parked += 1
    else
      for (const change of missing)
        (isBeyondFork(change, evidence) ? lostByCluster : lost).push({ token: row.token, change })
  }
  const acknowledged = ledger.rows.flatMap(({ changes }) => changes).filter(isAcknowledged).length
  const doubled = [...byToken].filter(([, rows]) => rows.length > 1).map(([token]) => token)
  return { acknowledged, lost, lostByCluster, doubled, parked, miscounted: miscounted(ledger, evidence.rows) }
}

/**
 * The acknowledged changes of a row that are missing where it ended with this value (null: it is not there): those after
 * the last one that leads to it. An unknown one may have come or not.
 */
export function missingOf({ changes }: LedgerRow, value: number | null): readonly Change[] {
  for (let last = changes.length; last >= 0; last -= 1) {
    const state = stateAfter(changes[last - 1])
    if (last > 0 && changes[last - 1]?.ending === 'refused') continue
    if (state === value) return changes.slice(last).filter(isAcknowledged)
  }
  return changes.filter(isAcknowledged)
}

function stateAfter(change: Change | undefined): number | null {
  return change === undefined || change.kind === 'remove' ? null : change.value
}

function isAcknowledged({ ending }: Change): boolean {
  return ending === 'acknowledged'
}

/**
 * Whether the place in the log that a change had when it was acknowledged lies beyond the end of its timeline: the place
 * of the first write of the pulse that was sent after its acknowledgement is no lower.
 */
function isBeyondFork({ doneMs, durability }: Change, { beats, forks }: ClusterEvidence): boolean {
  if (durability !== 'primary') return false
  if (isOnDeadBranch(doneMs, beats)) return true
  for (const [timeline, end] of forks) {
    const own = beats.filter((beat) => beat.timeline === timeline)
    const after = own.find(({ sentMs }) => sentMs >= doneMs)
    if (after !== undefined && (after.position ?? 0n) > end) return true
    // The server died, or its timeline ended, before the pulse wrote again.
    const before = own.findLast(({ sentMs }) => sentMs < doneMs)
    if (after === undefined && before !== undefined && doneMs - before.doneMs < pulsePauseMs) return true
  }
  return false
}

/**
 * Whether the cluster was on a timeline at that moment that it gave up for an older one: a former primary took its place
 * back, and the branch of the one between is in no history.
 */
function isOnDeadBranch(atMs: number, beats: readonly Beat[]): boolean {
  const near = beats.filter(({ doneMs }) => Math.abs(doneMs - atMs) < pulsePauseMs)
  const highest = Math.max(0, ...near.map(({ timeline }) => timeline ?? 0))
  let lastMs = atMs
  for (const { timeline, sentMs, doneMs } of beats) {
    if (sentMs < atMs || sentMs > atMs + branchMs) continue
    if ((timeline ?? 0) >= highest) lastMs = doneMs
    else if (sentMs - lastMs > pulsePauseMs) return true
  }
  return false
}

/** An older timeline that comes back later is another story. */
const branchMs = 60_000

/** The pulse writes more often than this on a member that answers. */
const pulsePauseMs = 3_000

function miscounted({ counters }: Ledger, rows: readonly ServiceRow[]): readonly string[] {
  const byId = new Map(rows.map((row) => [row.id, row.value]))
  return counters.flatMap(({ id, acknowledged, unknown }) => {
    const value = byId.get(id) ?? 0
    if (value >= acknowledged && value <= acknowledged + unknown) return []
    return [`${id}: ${value}, not ${acknowledged}${unknown > 0 ? ` to ${acknowledged + unknown}` : ''}`]
  })
}
