import { databaseLine } from './database-lines.ts'
import { httpLine } from './http-lines.ts'
import type { Line } from './line.ts'
import type { Observation } from './observation.ts'
import { serviceLine } from './service-lines.ts'

/** What an observation says in the log; null when it says nothing. Exhaustive: a new observation does not compile without its words. */
export function lineOf(seen: Observation, requests: boolean): Line | null {
  switch (seen.type) {
    case 'connection.changed':
    case 'connection.attempt.failed':
    case 'store.opened':
    case 'store.advised':
    case 'store.closed':
    case 'store.checked':
    case 'fallback.writes':
    case 'work.rerun':
    case 'work.failed':
    case 'database.defect':
      return databaseLine(seen)
    case 'http.listening':
    case 'request.answered':
    case 'request.failed':
    case 'connection.malformed':
    case 'connection.dropped':
    case 'http.closed':
      return httpLine(seen, requests)
    case 'service.started':
    case 'problem.found':
    case 'database.undeclared':
    case 'rows.left':
    case 'token.found':
    case 'collection.loaded':
    case 'statement.sent':
    case 'settings.reloaded':
    case 'reload.refused':
    case 'service.closing':
    case 'service.closed':
    case 'service.failed':
    case 'service.defect':
      return serviceLine(seen)
  }
}
