import type { Statement, Statements, Value, Written } from '../../../src/driver/facet/statements.ts'
import {
  type ConnectionPool,
  claimKnownCode,
  commonError,
  requestKnownCode,
} from '../../../src/driver/kit/driver-kit.ts'
import { duplicateKey, knownStates } from '../fault-table.ts'
import { numberOf } from '../faults.ts'
import type { Answer } from './answer.ts'
import type { SafeClient } from './client.ts'
import { waiting, withoutWait } from './session.ts'

/** What claims, and the fault of a claim that exists. */
export interface Claim extends Statement {
  readonly known: 'claimKnown' | 'requestKnown'
}

/** The claim of an attempt. */
export function claimOf(attempt: string): Claim {
  return { sql: 'insert into holdfast_attempt (id) values (?)', values: [attempt], known: 'claimKnown' }
}

const codes = { claimKnown: claimKnownCode, requestKnown: requestKnownCode } as const

/** The errors of a statement that cannot be prepared, or is prepared no longer: nothing of it was executed. */
export const unprepared: ReadonlySet<number> = new Set([1243, 1295, 1461, 1615, 2030])

/** A write that claims; as `Statements.write`. */
export type ClaimingWrite = (sql: string, values: readonly Value[], claim: Claim) => Promise<Written>

/**
 * Writes that claim in the same transaction: in one prepared statement where the server has compound ones, as
 * MariaDB, else in a transaction of four; inside an open transaction as two statements of it.
 */
export function createClaimingWrite(
  pool: ConnectionPool<SafeClient>,
  { write }: Statements,
  hasCompounds: boolean,
): ClaimingWrite {
  let isCompound = hasCompounds
  const runAlone = async (client: SafeClient, sql: string, values: readonly Value[], claim: Claim) => {
    if (isCompound) {
      try {
        return await runCompound(client, sql, values, claim)
      } catch (error) {
        if (!unprepared.has(numberOf(error) ?? 0) || !client.isReady) throw error
        // A server before MariaDB 10.6 does not prepare such a statement.
        isCompound = numberOf(error) !== notPreparable
      }
    }
    return await runTransaction(client, sql, values, claim)
  }
  return async (sql, values, claim) => {
    if (pool.transactions.current !== null) {
      await claimed(write(claim.sql, claim.values), claim)
      return await write(sql, values)
    }
    if (claim.known === 'requestKnown') pool.limits.echo?.(claim.sql)
    pool.limits.echo?.(sql)
    const client = pool.take() ?? (await pool.acquire())
    try {
      return await runAlone(client, sql, values, claim)
    } finally {
      pool.release(client)
    }
  }
}

/** The number of a statement that is not supported in the prepared statement protocol. */
const notPreparable = 1295

async function runCompound(client: SafeClient, sql: string, values: readonly Value[], claim: Claim): Promise<Written> {
  try {
    const all = [...claim.values, ...values]
    return writtenOf(await client.run(compoundOf(claim, sql), all, { isPrepared: true, phase: 'commit' }))
  } catch (error) {
    await undo(client)
    throw error
  }
}

/** The handlers end the transaction at once: its locks would last for one more round trip. */
function compoundOf(claim: Claim, given: string): string {
  const sql = withoutWait(given)
  const text = `begin not atomic
  declare exit handler for sqlexception begin rollback; resignal; end;
  start transaction;
  begin
    declare exit handler for ${duplicateKey} signal sqlstate '${knownStates[claim.known]}';
    ${claim.sql};
  end;
  ${sql};
  commit;
end`
  // It begins a transaction, and that is what waits.
  return sql === given ? text : waiting(text)
}

/** Without RETURNING the server counts the claim, too. */
function writtenOf({ rows, changed }: Answer): Written {
  const [returned] = rows as readonly unknown[]
  return Array.isArray(returned) ? { rows: returned, changed: returned.length } : { rows: [], changed: changed - 1 }
}

async function runTransaction(
  client: SafeClient,
  sql: string,
  values: readonly Value[],
  claim: Claim,
): Promise<Written> {
  try {
    const own = withoutWait(sql)
    await client.run(own === sql ? 'begin' : waiting('begin'))
    await claimed(runPrepared(client, claim.sql, claim.values), claim)
    const { rows, changed } = await runPrepared(client, own, values)
    await client.run('commit')
    return { rows, changed }
  } catch (error) {
    await undo(client)
    throw error
  }
}

/** Unprepared where that fails. */
async function runPrepared(client: SafeClient, sql: string, values: readonly Value[]): Promise<Answer> {
  try {
    return await client.run(sql, values, { isPrepared: true, phase: 'statement' })
  } catch (error) {
    if (!unprepared.has(numberOf(error) ?? 0) || !client.isReady) throw error
    return await client.run(sql, values, { phase: 'statement' })
  }
}

async function claimed(claiming: Promise<unknown>, { known }: Claim): Promise<void> {
  try {
    await claiming
  } catch (error) {
    throw numberOf(error) === duplicateKey ? commonError(known, codes[known], { cause: error }) : error
  }
}

/** What was interrupted has run no handler, and an error does not say whether its transaction is open. */
async function undo(client: SafeClient): Promise<void> {
  if (client.isReady) await client.run('rollback').catch(() => client.evict())
}
