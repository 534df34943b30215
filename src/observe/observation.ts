import type { EntriesObservation } from '../archive/entries/observation.ts'
import type { ExportObservation } from '../archive/export/observation.ts'
import type { ArchiveObservation } from '../archive/observation.ts'
import type { RestoreObservation } from '../archive/restore/observation.ts'
import type { Problem } from '../config/problem.ts'
import type { CopyObservation } from '../copy/observation.ts'
import type { DatabaseObservation } from '../database/supervisor/observation.ts'
import type { HttpObservation } from '../http/server/observation.ts'
import type { TokenSource } from '../http/status/status-source.ts'
import type { JournalObservation } from '../journal/observation.ts'

/** The observations of the service and its process. Values of settings are already masked. */
export type ServiceObservation =
  | {
      readonly type: 'service.started'
      readonly version: string
      readonly node: string
      /** The process that handles signals; a launcher may have started it. */
      readonly pid: number
      readonly tookMs: number
    }
  /** A setting, an address or a declaration is wrong; reported once, at startup or after a reload. */
  | { readonly type: 'problem.found'; readonly problem: Problem }
  /** Its cause is gone. */
  | { readonly type: 'problem.ended'; readonly problem: Problem }
  /** No primary is declared, so the embedded database serves. Not a problem. `why`: one sentence. */
  | { readonly type: 'database.undeclared'; readonly why: string }
  | { readonly type: 'token.found'; readonly source: TokenSource }
  | { readonly type: 'collection.loaded'; readonly name: string; readonly path: string }
  /** The text of a statement, with ECHO_SQL; never its values. */
  | { readonly type: 'statement.sent'; readonly sql: string }
  | {
      readonly type: 'settings.reloaded'
      readonly changed: readonly string[]
      readonly needsRestart: readonly string[]
      /** The names of collections that this reload added and removed. */
      readonly added: readonly string[]
      readonly removed: readonly string[]
    }
  /** The files could not be used; the running configuration is kept. */
  | { readonly type: 'reload.refused'; readonly problems: readonly Problem[] }
  /** `why`: the name of a signal, or `close`. */
  | { readonly type: 'service.closing'; readonly why: string; readonly withinMs: number }
  | { readonly type: 'service.closed'; readonly tookMs: number }
  /** The process cannot start or continue. `message`: one sentence. */
  | { readonly type: 'service.failed'; readonly message: string; readonly error: unknown }
  /** A bug: something threw or rejected that must not. The service continues. */
  | { readonly type: 'service.defect'; readonly where: string; readonly error: unknown }

/** Every observation, in one closed list. */
export type Observation =
  | DatabaseObservation
  | JournalObservation
  | CopyObservation
  | ArchiveObservation
  | RestoreObservation
  | EntriesObservation
  | ExportObservation
  | HttpObservation
  | ServiceObservation
