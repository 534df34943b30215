import type { Problem } from '../../src/config/problem.ts'
import type { Secret } from '../../src/config/secret.ts'
import type { Settings } from '../../src/config/settings.ts'
import { stoppedProblem } from '../../src/copy/problems.ts'
import type { Fault } from '../../src/driver/fault.ts'
import { primaryBackProblem, wentBackProblem } from '../../src/journal/problems.ts'
import { createLog, type Log } from '../../src/observe/logs.ts'
import type { Observation } from '../../src/observe/observation.ts'

/** A log that writes into an array. */
export interface Written {
  readonly log: Log
  readonly texts: string[]
  /** The lines as objects. */
  lines(): readonly Record<string, unknown>[]
}

export async function writtenLog(
  settings: Partial<Settings['log']> = {},
  secrets: readonly Secret[] = [],
  now?: () => number,
): Promise<Written> {
  const texts: string[] = []
  const log = await createLog({
    settings: { level: 'info', format: 'json', requests: true, ...settings },
    secrets,
    output: { write: (text: string) => texts.push(text) },
    ...(now === undefined ? {} : { now }),
  })
  return { log, texts, lines: () => texts.map((text) => JSON.parse(text)) }
}

export const refused: Fault = {
  kind: 'unreachable',
  code: 'ECONNREFUSED',
  summary: 'The server refused the connection.',
  hint: 'Start it.',
  ambiguous: false,
  cause: Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' }),
}

const label = 's3://rows/prefix'

const archiveDown: Problem = {
  ...{ code: 'ARCHIVE_UNREACHABLE', severity: 'warning', setting: 'archive.url', origin: null, part: null },
  message: 'The archive s3://rows/prefix did not answer.',
  suggestion: 'Check the endpoint.',
}

/** One of each: a new observation does not compile without its place here. */
export const everyObservation: { readonly [T in Observation['type']]: Extract<Observation, { type: T }> } = {
  'connection.changed': {
    declared: true,
    type: 'connection.changed',
    from: 'CONNECTING_PRIMARY',
    to: 'CONNECTING_FALLBACK',
    reason: 'primary.failed',
    isFailover: false,
    fault: refused,
    lastedMs: 1_500,
    store: null,
  },
  'connection.attempt.failed': { type: 'connection.attempt.failed', what: 'probe', attempt: 3, fault: refused },
  'store.opened': {
    type: 'store.opened',
    role: 'fallback',
    shown: 'local',
    driver: 'sqlite',
    label: 'sqlite:x.db',
    problems: [],
  },
  'store.advised': {
    type: 'store.advised',
    shown: 'primary',
    label: 'postgresql db7/x',
    advice: 'Connections go through a pooler.',
  },
  'store.closed': { type: 'store.closed', role: 'fallback', driver: 'sqlite', label: 'sqlite:x.db' },
  'store.checked': { type: 'store.checked', label: 'pg', why: 'slow', verdict: 'kept', fault: null },
  'cluster.host': { type: 'cluster.host', label, role: 'standby', timeline: 3, members: 2, was: null },
  'fallback.writes': { type: 'fallback.writes', block: 'tables-absent' },
  'journal.left': { type: 'journal.left', label: 'sqlite:x.db', path: '/data/x.db', entries: 3, isLosable: true },
  'work.rerun': { type: 'work.rerun', attempt: 'a', tries: 2, fault: refused },
  'work.failed': { type: 'work.failed', attempt: 'a', fault: refused, isLast: true },
  'database.defect': { type: 'database.defect', where: 'supervisor', error: new Error('defect') },
  'journal.carried': {
    type: 'journal.carried',
    label: 'postgresql db7/x',
    transactions: 40,
    settled: 1,
    parked: 2,
    entries: 60,
    tookMs: 12.4,
    left: 5,
  },
  'journal.parked': {
    type: 'journal.parked',
    label: 'postgresql db7/x',
    attempt: 'a',
    collection: 'feedback',
    row: 'r',
    reason: 'update_differing',
    entries: 2,
  },
  'journal.went-back': {
    type: 'journal.went-back',
    label: 'postgresql db7/x',
    entries: 7,
    problem: wentBackProblem('postgresql db7/x', 7),
  },
  'primary.went-back': {
    ...{ type: 'primary.went-back', label: 'postgresql db7/x', reason: 'timeline' },
    ...{ counts: new Map([['feedback', 21]]), rows: ['feedback/r'] },
    problem: primaryBackProblem('postgresql db7/x', 'timeline', 21, ['feedback/r']),
  },
  'journal.elsewhere': {
    type: 'journal.elsewhere',
    label: 'sqlite:x.db',
    problem: { ...wentBackProblem('x', 1), code: 'JOURNAL_ELSEWHERE', message: '3 changes are for another primary.' },
  },
  'copy.began': { type: 'copy.began', label: 'postgresql db7/x', tables: ['feedback'] },
  'copy.completed': { type: 'copy.completed', collection: 'feedback', rows: 3, bytes: 400, tookMs: 12.5 },
  'copy.looked': { type: 'copy.looked', collection: 'feedback', rows: 3, written: 1, removed: 1, tookMs: 2.5 },
  'copy.written-through': { type: 'copy.written-through', collection: 'feedback', rows: 1 },
  'copy.reset': { type: 'copy.reset', label: 'postgresql db7/x' },
  'copy.failed': { type: 'copy.failed', at: 'primary', label: 'postgresql db7/x', fault: refused, retryMs: 1_000 },
  'copy.problem': { type: 'copy.problem', problem: stoppedProblem(refused) },
  'copy.problem.ended': { type: 'copy.problem.ended', problem: stoppedProblem(refused) },
  'archive.joined': { type: 'archive.joined', label, lineage: 'l1', number: 7, isContiguous: false },
  'archive.stored': { type: 'archive.stored', label, key: 'segments/000000000007', bytes: 900, tookMs: 31.5 },
  'archive.failed': { type: 'archive.failed', label, problem: archiveDown },
  'archive.resumed': { type: 'archive.resumed', label, awayMs: 4_000.5 },
  'archive.ended': { type: 'archive.ended', label, problem: { ...archiveDown, code: 'ARCHIVE_FENCED' } },
  'archive.hole': { type: 'archive.hole', label, problem: { ...archiveDown, code: 'ARCHIVE_HOLE' } },
  'archive.snapshot-stored': {
    ...{ type: 'archive.snapshot-stored', label, folder: 'snapshots/000000000007-x' },
    ...{ bytes: 4_000_000, storedBytes: 900_000, rows: 4_210, tookMs: 1_100.5 },
  },
  'archive.snapshot-failed': { type: 'archive.snapshot-failed', label, problem: archiveDown },
  'archive.removed': { type: 'archive.removed', label, objects: 12 },
  'archive.noticed': { type: 'archive.noticed', label, problem: archiveDown },
  'archive.defect': { type: 'archive.defect', label, error: new Error('a bug') },
  'restore.began': { type: 'restore.began', label, why: 'absent', aside: null },
  'restore.failed': { type: 'restore.failed', problem: archiveDown },
  'restore.ended': {
    ...{ type: 'restore.ended', label, rows: 4_210, tables: 2, bytes: 900_000, tookMs: 1_100.5 },
    ...{ number: 7, at: '2026-05-04T03:02:01.000Z', end: 'complete' },
  },
  'restore.skipped': { type: 'restore.skipped', label, why: 'unused' },
  'drill.passed': { type: 'drill.passed', label, rows: 4_210, tookMs: 1_100.5 },
  'drill.failed': { type: 'drill.failed', problem: archiveDown },
  'archive.exported': {
    ...{ type: 'archive.exported', label, tookMs: 80.5, collections: 2, rows: 4_210, bytes: 90_000 },
    ...{ written: 2, unchanged: 1, removed: 0 },
  },
  'archive.export-failed': {
    type: 'archive.export-failed',
    label,
    problem: archiveDown,
    error: new Error('no answer'),
  },
  'entries.carried': { type: 'entries.carried', label, process: 'p1', entries: 3, objects: 1, tookMs: 12.5 },
  'entries.failed': { type: 'entries.failed', label, problem: archiveDown, error: new Error('no answer') },
  'entries.resumed': { type: 'entries.resumed', label },
  'entries.kept': { type: 'entries.kept', label, problem: { ...archiveDown, code: 'JOURNAL_ELSEWHERE' } },
  'conflicts.counted': { type: 'conflicts.counted', label: 'postgresql db7/x', open: 2 },
  'http.listening': { type: 'http.listening', url: 'http://localhost:1', host: '0.0.0.0', port: 1 },
  'request.answered': {
    type: 'request.answered',
    requestId: 'r1',
    method: 'GET',
    path: '/api/feedback',
    route: '/api/:collection',
    caller: 'token:ingest',
    status: 200,
    durationMs: 1.234567,
    aborted: false,
  },
  'request.failed': {
    type: 'request.failed',
    requestId: 'r1',
    method: 'GET',
    route: '/api/:collection',
    code: 'INTERNAL_ERROR',
    error: new Error('boom'),
  },
  'connection.malformed': { type: 'connection.malformed', code: 'HPE_INVALID_METHOD', status: 400 },
  'connection.dropped': { type: 'connection.dropped', limit: 10 },
  'http.closed': { type: 'http.closed', tookMs: 5, destroyed: 0 },
  'service.started': { type: 'service.started', version: '0.1.0', node: 'v24.0.0', pid: 4711, tookMs: 100 },
  'problem.found': {
    type: 'problem.found',
    problem: {
      code: 'SETTING_INVALID',
      severity: 'error',
      setting: 'http.port',
      origin: { from: 'file', path: 'config/default.json' },
      part: null,
      message: 'PORT is no number.',
      suggestion: 'Use 7860.',
    },
  },
  'problem.ended': {
    type: 'problem.ended',
    problem: {
      code: 'SETTING_INVALID',
      severity: 'error',
      setting: 'http.port',
      origin: { from: 'file', path: 'config/default.json' },
      part: null,
      message: 'PORT is no number.',
      suggestion: 'Use 7860.',
    },
  },
  'database.undeclared': { type: 'database.undeclared', why: 'DATABASE_URL is not set.' },
  'token.found': { type: 'token.found', source: { from: 'file', path: '/data/admin-token', fresh: true } },
  'collection.loaded': { type: 'collection.loaded', name: 'feedback', path: '/api/feedback' },
  'statement.sent': { type: 'statement.sent', sql: 'select 1' },
  'settings.reloaded': {
    type: 'settings.reloaded',
    changed: ['log.level'],
    needsRestart: ['http.port'],
    added: ['notes'],
    removed: [],
  },
  'reload.refused': { type: 'reload.refused', problems: [] },
  'service.closing': { type: 'service.closing', why: 'SIGTERM', withinMs: 10_000 },
  'service.closed': { type: 'service.closed', tookMs: 12 },
  'service.failed': { type: 'service.failed', message: 'Port 80 is taken.', error: new Error('EADDRINUSE') },
  'service.defect': { type: 'service.defect', where: 'close', error: 'a string was thrown' },
}
