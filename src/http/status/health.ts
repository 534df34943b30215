import type { IncomingMessage, ServerResponse } from 'node:http'
import { writeBlockSentence } from '../../database/machine/write-block.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { isAdmin } from '../server/auth.ts'
import type { StatusSource } from './status-source.ts'
import { type HealthStatus, verdictOf } from './verdict.ts'
import { leftSentence } from './wording.ts'

/** Adds `/health`, `/health/live` and `/health/ready`: from memory, `application/health+json`, never cached. */
export function addHealthRoutes(app: App, source: StatusSource): void {
  app.get('/health', (req, res) => {
    const verdict = verdictOf(source)
    send(res, verdict.status === 'fail' ? 503 : 200, verdict.status, source, isTrusted(req, source))
  })
  app.get('/health/live', (_req, res) => {
    // The process answers, and that is all that a restart could mend.
    sendHealth(res, 200, { status: 'pass', releaseId: source.version })
  })
  app.get('/health/ready', (req, res) => {
    const verdict = verdictOf(source)
    if (verdict.ready)
      send(res, 200, verdict.status === 'fail' ? 'warn' : verdict.status, source, isTrusted(req, source))
    else send(res, 503, 'fail', source, isTrusted(req, source))
  })
}

function isTrusted(req: IncomingMessage, source: StatusSource): boolean {
  return isAdmin(req, source.adminToken().token)
}

/** `status`: what the whole is called at this address. */
function send(
  res: ServerResponse,
  httpStatus: number,
  status: HealthStatus,
  source: StatusSource,
  trusted: boolean,
): void {
  const database = source.database()
  const time = new Date().toISOString()
  const isWell = verdictOf(source).connection === 'pass'
  const why = isWell ? {} : { output: outputOf(source, database, trusted) }
  const uptimeS = Math.floor((Date.now() - source.startedAt.getTime()) / 1000)
  const others: readonly Check[] = [...fallbackCheck(source, database), ...lackingCheck(source)]
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

/** Something beside the connection that a person may have to see to. */
interface Check {
  readonly name: string
  readonly observedValue: number
  readonly observedUnit: string
  readonly status: HealthStatus
  readonly output?: string
}

/** The first check that warns, by its name. */
function warningOf(checks: readonly Check[]): string | null {
  const warning = checks.find(({ output }) => output !== undefined)
  return warning === undefined ? null : `${warning.name} ${warning.output}`
}

/** The collections whose requests are refused for their table. */
function lackingCheck(source: StatusSource): readonly Check[] {
  const names = source.lacking()
  if (names.length === 0) return []
  const output = `COLLECTION_UNAVAILABLE ${names.join(' ')}`
  return [{ name: 'collection:tables', observedValue: names.length, observedUnit: 'missing', status: 'warn', output }]
}

/** The fallback beside a primary: how many rows it holds that the primary does not have, and whether it takes writes. */
function fallbackCheck(source: StatusSource, { writeBlock }: DatabaseSessionContext): readonly Check[] {
  const left = source.left()
  if (left === null) return []
  const said = [
    ...(left.total > 0 ? [`${leftSentence(left)}.`] : []),
    ...(writeBlock === null || writeBlock === 'setting' ? [] : [writeBlockSentence(writeBlock)]),
  ]
  const counted = { name: 'fallback:rows', observedValue: left.total, observedUnit: 'rows' }
  return [said.length === 0 ? { ...counted, status: 'pass' } : { ...counted, status: 'warn', output: said.join(' ') }]
}

/** Which store answers; its label, which may name a host, only for those who may know. */
function storeOf(database: DatabaseSessionContext, trusted: boolean): Readonly<Record<string, string>> {
  if (database.store === null) return {}
  const { shown, driver, label } = database.store
  return trusted ? { store: shown, driver, label } : { store: shown, driver }
}

/** Codes for everybody; sentences, which may name a host, for the admin. */
function outputOf(source: StatusSource, database: DatabaseSessionContext, trusted: boolean): string {
  if (source.isClosing()) return 'CLOSING'
  const { state, why } = database
  if (why === null) return database.row === 'primary' ? `${state} without a fallback that could be opened` : state
  const codes = `${state} ${why.kind} ${why.code}`
  return trusted ? `${codes}: ${why.summary} ${why.hint}` : codes
}

function sendHealth(res: ServerResponse, status: number, body: Readonly<Record<string, unknown>>): void {
  sendText(res, status, 'application/health+json', JSON.stringify(body), { 'Cache-Control': 'no-store' })
}
