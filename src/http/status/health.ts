import type { IncomingMessage, ServerResponse } from 'node:http'
import { writeBlockSentence } from '../../database/machine/write-block.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'
import { isAdmin } from '../auth/admin.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { isRestoring, lagWarningS } from './archive-wording.ts'
import { type HealthStatus, healthOf } from './readiness.ts'
import type { StatusSource } from './status-source.ts'
import { conflictSentence, journalSentence } from './wording.ts'

/** Adds `/health`, `/health/live` and `/health/ready`: answered from memory as `application/health+json`, never cached. */
export function addHealthRoutes(app: App, source: StatusSource): void {
  app.get('/health', (req, res) => {
    const { status } = healthOf(source)
    send(res, status === 'fail' ? 503 : 200, status, source, isTrusted(req, source))
  })
  app.get('/health/live', (_req, res) => {
    // The process responds, and a restart could fix nothing else.
    sendHealth(res, 200, { status: 'pass', releaseId: source.version })
  })
  app.get('/health/ready', (req, res) => {
    const { ready, status } = healthOf(source)
    if (ready) send(res, 200, status === 'fail' ? 'warn' : status, source, isTrusted(req, source))
    else send(res, 503, 'fail', source, isTrusted(req, source))
  })
}

function isTrusted(req: IncomingMessage, source: StatusSource): boolean {
  return isAdmin(req, source.adminToken().token)
}

/** `status`: the overall status at this path. */
function send(
  res: ServerResponse,
  httpStatus: number,
  status: HealthStatus,
  source: StatusSource,
  trusted: boolean,
): void {
  const database = source.database()
  const time = new Date().toISOString()
  const isWell = healthOf(source).connection === 'pass'
  const why = isWell ? {} : { output: outputOf(source, database, trusted) }
  const uptimeS = Math.floor((Date.now() - source.startedAt.getTime()) / 1000)
  // The first that warns is the output: what fails now comes before what waits for a person, or stands as long as the setup.
  const others: readonly Check[] = [
    ...diskCheck(database),
    ...lackingCheck(source),
    ...keylessCheck(source),
    ...journalCheck(database),
    ...copyCheck(source, database),
    ...conflictCheck(source),
    ...archiveChecks(source),
    ...problemCheck(source),
    ...writesCheck(database),
  ]
  const output = status === 'pass' || !isWell ? why : { output: warningOf(others) ?? database.state }
  sendHealth(res, httpStatus, {
    status,
    releaseId: source.version,
    ...output,
    checks: {
      'database:state': [
        {
          componentType: 'datastore',
          observedValue: database.state,
          status: isWell ? 'pass' : status,
          time,
          ...storeOf(database, trusted),
          ...why,
        },
      ],
      'database:durability': [
        { componentType: 'datastore', observedValue: source.durability() ?? 'none', status: 'pass', time },
      ],
      ...Object.fromEntries(others.map(({ name, ...rest }) => [name, [{ componentType: 'datastore', ...rest, time }]])),
      'database:sessions': [
        {
          componentType: 'datastore',
          observedValue: database.activeSessions,
          observedUnit: 'sessions',
          status: 'pass',
          time,
        },
      ],
      'system:uptime': [{ componentType: 'system', observedValue: uptimeS, observedUnit: 's', status: 'pass', time }],
    },
  })
}

/** A condition apart from the connection that may need attention. */
interface Check {
  readonly name: string
  readonly observedValue: number | string
  readonly observedUnit: string
  readonly status: HealthStatus
  readonly output?: string
  readonly rows?: number
  readonly tookMs?: number
}

/** The first check that warns, with its name. */
function warningOf(checks: readonly Check[]): string | null {
  const warning = checks.find(({ output }) => output !== undefined)
  return warning === undefined ? null : `${warning.name} ${warning.output}`
}

/** The collections that are unavailable because of their tables. */
function lackingCheck(source: StatusSource): readonly Check[] {
  const names = source.lacking()
  if (names.length === 0) return []
  const output = `COLLECTION_UNAVAILABLE ${names.join(' ')}`
  return [{ name: 'collection:tables', observedValue: names.length, observedUnit: 'missing', status: 'warn', output }]
}

/** The collections that are read-only because their tables lack a key. */
function keylessCheck(source: StatusSource): readonly Check[] {
  const names = source.keyless()
  if (names.length === 0) return []
  const output = `PLAN_NEEDED ${names.join(' ')}`
  return [{ name: 'collection:keys', observedValue: names.length, observedUnit: 'missing', status: 'warn', output }]
}

/** A full disk: the service can still be read. */
function diskCheck({ diskFull }: DatabaseSessionContext): readonly Check[] {
  if (!diskFull) return []
  return [{ name: 'database:disk', observedValue: 0, observedUnit: 'free', status: 'warn', output: 'DISK_FULL' }]
}

/** The journal of the fallback of a declared primary. */
function journalCheck({ journal }: DatabaseSessionContext): readonly Check[] {
  if (journal === null) return []
  const waiting = { name: 'fallback:journal', observedValue: journal.transactions, observedUnit: 'transactions' }
  const output = journalSentence(journal)
  return [output === null ? { ...waiting, status: 'pass' } : { ...waiting, status: 'warn', output }]
}

/** How many collections an outage leaves readable. One that is filling or resting is no warning; a copy that stopped is a problem. */
function copyCheck(source: StatusSource, { declared, hasFallback }: DatabaseSessionContext): readonly Check[] {
  if (!declared || !hasFallback) return []
  const complete = source.copy().filter(({ isWhole }) => isWhole).length
  return [{ name: 'fallback:copy', observedValue: complete, observedUnit: 'complete', status: 'pass' }]
}

/** Whether the fallback of a declared primary accepts writes. A block chosen by a setting is no warning. */
function writesCheck({ declared, hasFallback, writeBlock }: DatabaseSessionContext): readonly Check[] {
  if (!declared || !hasFallback) return []
  const writes = { name: 'fallback:writes', observedValue: writeBlock === null ? 1 : 0, observedUnit: 'accepted' }
  if (writeBlock === null || writeBlock === 'setting') return [{ ...writes, status: 'pass' }]
  return [{ ...writes, status: 'warn', output: writeBlockSentence(writeBlock) }]
}

/** Changes that were kept aside, for a person to settle. */
function conflictCheck(source: StatusSource): readonly Check[] {
  const open = source.conflicts()
  if (open === 0) return []
  const output = conflictSentence(open)
  return [{ name: 'primary:conflicts', observedValue: open, observedUnit: 'open', status: 'warn', output }]
}

/** How far the archive is behind, how far a restore has come, and when the archive was last proven restorable. */
function archiveChecks(source: StatusSource): readonly Check[] {
  const archive = source.archive()
  if (archive === null) return []
  const { lagS, restore, drill } = archive
  if (isRestoring(archive)) {
    const { bytes, ofBytes } = restore ?? { bytes: 0, ofBytes: null }
    const output = ofBytes === null ? 'RESTORING' : `RESTORING ${bytes} of ${ofBytes} bytes`
    return [{ name: 'archive:restore', observedValue: bytes, observedUnit: 'bytes', status: 'warn', output }]
  }
  const isLate = lagS !== null && lagS > lagWarningS
  const lag = { name: 'archive:lag', observedValue: lagS ?? 'unknown', observedUnit: 's' }
  const lagCheck: Check = isLate ? { ...lag, status: 'warn', output: 'ARCHIVE_LAG' } : { ...lag, status: 'pass' }
  if (drill === null) return [lagCheck]
  const { atMs, rows, tookMs, failure } = drill
  const observedValue = Math.max(0, Math.round((Date.now() - atMs) / 1_000))
  const status = failure === null ? 'pass' : 'warn'
  const output = failure === null ? {} : { output: 'ARCHIVE_DRILL_FAILED' }
  return [
    lagCheck,
    { name: 'archive:proven', observedValue, observedUnit: 's', status, rows, tookMs: Math.round(tookMs), ...output },
  ]
}

/** The problems that `/status` lists, by their codes. */
function problemCheck(source: StatusSource): readonly Check[] {
  const open = source.problems().filter(({ severity }) => severity !== 'info')
  if (open.length === 0) return []
  const output = [...new Set(open.map(({ code }) => code))].join(' ')
  return [{ name: 'service:problems', observedValue: open.length, observedUnit: 'open', status: 'warn', output }]
}

/** The store that serves; its label, which may name a host, for the admin only. */
function storeOf(database: DatabaseSessionContext, trusted: boolean): Readonly<Record<string, string>> {
  if (database.store === null) return {}
  const { shown, driver, label } = database.store
  return trusted ? { store: shown, driver, label } : { store: shown, driver }
}

/** Codes for everyone; sentences, which may name a host, for the admin only. */
function outputOf(source: StatusSource, database: DatabaseSessionContext, trusted: boolean): string {
  if (source.isClosing()) return 'CLOSING'
  const { state, why } = database
  if (isRestoring(source.archive())) return 'RESTORING'
  if (why === null) return database.row === 'primary' ? `${state}: ${noFallbackOf(database, trusted)}` : state
  const codes = `${state} ${why.kind} ${why.code}`
  return trusted ? `${codes}: ${why.summary} ${why.hint}` : codes
}

/** The primary serves, and its fallback could not be opened. */
function noFallbackOf({ standby }: DatabaseSessionContext, trusted: boolean): string {
  const fault = standby?.fault ?? null
  if (fault === null) return 'the fallback is not open'
  const codes = `the fallback is not open, ${fault.code}`
  return trusted ? `${codes}: ${fault.summary} ${fault.hint}` : codes
}

function sendHealth(res: ServerResponse, status: number, body: Readonly<Record<string, unknown>>): void {
  sendText(res, status, 'application/health+json', JSON.stringify(body), { 'Cache-Control': 'no-store' })
}
