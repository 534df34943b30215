import type { Client, QueryConfig, QueryResult } from 'pg'
import type { Phase } from '../../../src/driver/driver.ts'
import type { Limit } from './limit.ts'

/** Runs one statement within its limit, which holds for it only: streams have one for each read. `now`: `performance.now()`. */
export function ask(client: Client, query: QueryConfig, limit: Limit, now: number): Promise<QueryResult> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new LateError())
    limit.begin(now, late)
    // By callback: pg's own promise is three of them.
    client.query(query, (error: Error | null, result) => {
      limit.end(late)
      if (!error) return resolve(result)
      // From here it leads to whoever asked; pg's leads to its socket.
      Error.captureStackTrace(error)
      reject(error)
    })
  })
}

/** Whether the server has not answered in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof LateError
}

/** With the words of pg's own. */
class LateError extends Error {
  constructor() {
    super('Query read timeout')
  }
}

/** Whether a text is to commit. */
export function isCommit(text: string): boolean {
  return /^\s*(?:commit|end)\b/i.test(text)
}

/** What a loss during this text means, where nobody says it; `isAlone`: outside of a transaction. */
export function phaseOf(text: string, isAlone: boolean): Phase {
  if (isCommit(text)) return 'commit'
  if (/^\s*(?:begin|start)\b/i.test(text)) return 'begin'
  if (/^\s*(?:rollback|abort)\b/i.test(text)) return 'rollback'
  // Outside of a transaction a statement is its own COMMIT. By its first word: "with" and "call" may write.
  const isRead = /^[\s(]*(?:select|show|explain|values|table|set|reset|fetch)\b/i.test(text)
  return isAlone && !isRead ? 'commit' : 'statement'
}
