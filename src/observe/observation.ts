import type { LeftRows } from '../collection/row/left-rows.ts'
import type { Problem } from '../config/problem.ts'
import type { DatabaseObservation } from '../database/supervisor/observation.ts'
import type { HttpObservation } from '../http/server/observation.ts'
import type { TokenSource } from '../http/status/status-source.ts'

/** What the composition and the process notice. Values of settings are masked before they get here. */
export type ServiceObservation =
  | {
      readonly type: 'service.started'
      readonly version: string
      readonly node: string
      /** The process that takes signals; a launcher may stand before it. */
      readonly pid: number
      readonly tookMs: number
    }
  /** A setting, an address or a declaration is wrong; said once, at start or after a reload. */
  | { readonly type: 'problem.found'; readonly problem: Problem }
  /** No primary is declared: the embedded store is the database. Not a problem. `why`: one sentence. */
  | { readonly type: 'database.undeclared'; readonly why: string }
  /** Rows that were written on the fallback stay in it: nothing carries them to the primary yet. At least one. */
  | { readonly type: 'rows.left'; readonly label: string; readonly rows: LeftRows }
  | { readonly type: 'token.found'; readonly source: TokenSource }
  | { readonly type: 'collection.loaded'; readonly name: string; readonly path: string }
  /** A statement's text, with ECHO_SQL; never its values. */
  | { readonly type: 'statement.sent'; readonly sql: string }
  | {
      readonly type: 'settings.reloaded'
      readonly changed: readonly string[]
      readonly needsRestart: readonly string[]
    }
  /** The files were so wrong that the running configuration stays. */
  | { readonly type: 'reload.refused'; readonly problems: readonly Problem[] }
  /** `why`: a signal's name, or `close`. */
  | { readonly type: 'service.closing'; readonly why: string; readonly withinMs: number }
  | { readonly type: 'service.closed'; readonly tookMs: number }
  /** The process cannot go on, or never could. `message`: one sentence. */
  | { readonly type: 'service.failed'; readonly message: string; readonly error: unknown }
  /** A defect of ours: something threw or rejected where nothing should. The service goes on. */
  | { readonly type: 'service.defect'; readonly where: string; readonly error: unknown }

/** Everything worth noticing, in one closed list. */
export type Observation = DatabaseObservation | HttpObservation | ServiceObservation
