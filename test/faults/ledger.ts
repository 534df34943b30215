/** The two databases behind a service. */
export type Side = 'primary' | 'fallback'

/** A row whose creation was acknowledged, and all that may have become of it. */
export interface KeptRow {
  readonly id: string
  readonly token: string
  readonly side: Side
  /** Values that it may have: several after changes whose outcome is unknown. */
  values: Set<string>
  /** An unknown delete was sent. */
  mayBeGone: boolean
  /** A delete was acknowledged. */
  isGone: boolean
}

/** Refusals that say that nothing was written. */
const nothingWritten: ReadonlySet<string> = new Set([
  'STORE_LOST',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'STORE_READ_ONLY',
  'OVERLOADED',
  'DURABILITY_UNMET',
  'DISK_FULL',
])

/** Everything that clients were told of writes. */
export class Ledger {
  readonly rows: KeptRow[] = []
  /** Tokens of creates that were refused with "nothing was written". */
  readonly refused: Set<string> = new Set()
  /** Tokens of creates whose outcome nobody knows. */
  readonly unknown: Set<string> = new Set()
  unknownWrites = 0
  /** Deletes that the primary acknowledged, after an unknown first try, of rows that only the fallback has. */
  absentDeletes = 0
}

/** Whether nobody can say what became of a write that was answered so. */
export function isUnknown(status: number, body: Readonly<Record<string, unknown>> | null): boolean {
  return status >= 500 && !nothingWritten.has(String(body?.code))
}

/** A row as a database holds it at the end. */
export interface FoundRow {
  readonly id: string
  readonly token: string
  readonly value: string
}

/** What the databases hold, against what was acknowledged: one sentence for each difference. */
export function compare(ledger: Ledger, found: Readonly<Record<Side, readonly FoundRow[]>>): readonly string[] {
  const wrong: string[] = []
  const byId = { primary: indexed(found.primary), fallback: indexed(found.fallback) }
  for (const row of ledger.rows) {
    const there = byId[row.side].get(row.id)
    const other: Side = row.side === 'primary' ? 'fallback' : 'primary'
    const name = `row ${row.token} (${row.id}), acknowledged on the ${row.side},`
    if (byId[other].has(row.id)) wrong.push(`${name} is on the ${other}, too`)
    if (there === undefined && !row.isGone && !row.mayBeGone) wrong.push(`${name} is lost`)
    if (there !== undefined && row.isGone) wrong.push(`${name} is there although its delete was acknowledged`)
    if (there !== undefined && !row.isGone && !row.values.has(there.value)) {
      wrong.push(`${name} has ${there.value}, not ${[...row.values].join(' or ')}`)
    }
  }
  const tokens = new Map<string, number>()
  for (const { token } of [...found.primary, ...found.fallback]) tokens.set(token, (tokens.get(token) ?? 0) + 1)
  for (const [token, times] of tokens) {
    if (times > 1) wrong.push(`${token} was created once and is there ${times} times`)
    if (ledger.refused.has(token)) wrong.push(`${token} was answered "nothing was written" and is there`)
  }
  return wrong
}

function indexed(rows: readonly FoundRow[]): ReadonlyMap<string, FoundRow> {
  return new Map(rows.map((row) => [row.id, row]))
}
