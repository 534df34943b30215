import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, checkJson as jsonOf } from '../../src/cli/check.ts'
import type { Severity } from '../../src/config/problem.ts'
import { exitCodeFor } from '../../src/config/problem.ts'
import { type Hosted, type HostOptions, hostService } from '../support/hosted.ts'
import type { LogLine } from '../support/log.ts'
import {
  cleanEnvironment,
  cliEntry,
  type ProcessOptions,
  repository,
  runProcess,
  type Service,
  startService,
} from '../support/process.ts'
import { type Cleanup, type Files, makeTempDir, writeFiles } from '../support/temp.ts'
import { until } from '../support/until.ts'

/** The admin token of services under test. */
export const adminToken = 'an-admin-token-for-tests'

/** A problem as `/status` shows it. */
export interface SeenProblem {
  readonly driver?: string
  readonly code: string
  readonly severity: Severity
  readonly setting: string
  readonly origin: unknown
  readonly part: string | null
  readonly message: string
  readonly suggestion: string
}

/** What `/health` says. */
export interface Health {
  readonly http: number
  readonly status: string
  readonly output: string | undefined
  /** `local`, `primary` or `fallback`. */
  readonly store: string | undefined
  readonly label: string | undefined
  readonly durability: string
}

/** What a user sees of a service that is used once. */
export interface Sight<S extends Hosted = Hosted> {
  readonly service: S
  /** The header of the answer to a write. */
  readonly store: string
  readonly durability: string
  readonly health: Health
  readonly status: Status
  readonly problems: readonly SeenProblem[]
}

/** The body of `/status`, as far as tests look at it. */
export interface Status {
  readonly database: {
    readonly state: string
    readonly declared: boolean
    readonly why: { readonly kind: string; readonly code: string; readonly hint: string } | null
    readonly store: { readonly shown: string; readonly label: string; readonly path: string } | null
  }
  readonly problems: readonly SeenProblem[]
  readonly settings: readonly { readonly name: string; readonly value: unknown; readonly origin: string }[]
  readonly transitions: readonly { readonly from: string; readonly to: string }[]
}

/** What `holdfast check --json` says. */
export interface Check {
  readonly code: number | null
  readonly text: string
  readonly primary: Record<string, unknown> | null
  readonly fallback: Record<string, unknown> | null
  readonly settings: readonly { readonly name: string; readonly value: unknown; readonly origin: string }[]
  readonly problems: readonly SeenProblem[]
}

/** What a problem must be like. */
export interface Wanted {
  readonly code: string
  readonly severity?: Severity
  readonly setting?: string
  /** As `holdfast check` and the log write it. */
  readonly origin?: string | RegExp
  readonly part?: string | null
  readonly message?: RegExp
  readonly suggestion?: RegExp
}

/** A working directory with nothing but the collection `feedback`. */
export async function makeHome(t: Cleanup, files: Files = {}): Promise<string> {
  const dir = await makeTempDir(t, 'home')
  await mkdir(join(dir, 'tmp'))
  const path = 'config/collections/feedback.json'
  await writeFiles(dir, { [path]: await readFile(join(repository, path)), ...files })
  return dir
}

/** Starts a service with the admin token of tests. */
export function serve(t: Cleanup, options: ProcessOptions = {}): Promise<Service> {
  return startService(t, { ...options, env: { ADMIN_TOKEN: adminToken, ...options.env } })
}

/** Starts a service and uses it: a row is written and read again, whatever its settings are. */
export async function serveAndLook(t: Cleanup, options: ProcessOptions = {}): Promise<Sight<Service>> {
  return await look(await serve(t, options))
}

/** The same without a process of its own, for tables: one row of each kind is served by a process, too. */
export async function hostAndLook(t: Cleanup, options: HostOptions): Promise<Sight> {
  return await look(await host(t, options))
}

/** A service of this process with the admin token of tests. */
export function host(t: Cleanup, options: HostOptions): Promise<Hosted> {
  return hostService(t, { ...options, env: { ADMIN_TOKEN: adminToken, ...options.env } })
}

/** Writes a row, reads it again, and looks at everything that a user would look at. */
export async function look<S extends Hosted>(service: S): Promise<Sight<S>> {
  const comment = `row ${Math.random()}`
  const answer = await service.send('POST', '/api/feedback', { rating: 5, comment })
  const body = await answer.text()
  assert.equal(answer.status, 201, `POST was answered ${answer.status}: ${body}\n${service.output()}`)
  const { id } = JSON.parse(body)
  const row = await bodyOf(await service.fetch(`/api/feedback/${id}`))
  assert.equal(row.comment, comment)
  const list = await bodyOf(await service.fetch('/api/feedback'))
  assert.ok(list.items.some((item: { id: string }) => item.id === id))
  const status = await statusOf(service)
  return {
    service,
    store: answer.headers.get('holdfast-store') ?? '',
    durability: answer.headers.get('holdfast-durability') ?? '',
    health: await healthOf(service),
    status,
    problems: status.problems.filter(isMatter),
  }
}

/** The same at a fallback that accepts no writes, since nothing could carry them: a write is refused, and reads answer what is there. */
export async function lookAtReadOnly<S extends Hosted>(service: S): Promise<Sight<S>> {
  const answer = await service.send('POST', '/api/feedback', { rating: 5 })
  const body = await bodyOf(answer)
  assert.deepEqual([answer.status, body.code], [503, 'STORE_READ_ONLY'], service.output())
  assert.match(body.detail, /nothing can carry them/)
  const list = await service.fetch('/api/feedback')
  assert.equal(list.status, 200)
  assert.equal((await bodyOf(list)).partial, true)
  const [health, status] = [await healthOf(service), await statusOf(service)]
  const { headers } = list
  const [store, durability] = [headers.get('holdfast-store') ?? '', headers.get('holdfast-durability') ?? '']
  return { service, store, durability, health, status, problems: status.problems.filter(isMatter) }
}

/** `/health`, with the admin token. */
export async function healthOf(service: Hosted): Promise<Health> {
  const answer = await service.fetch('/health', { headers: { 'holdfast-token': adminToken } })
  const { status, output, checks } = await bodyOf(answer)
  const [state] = checks['database:state']
  const [durability] = checks['database:durability']
  const { store, label } = state
  return { http: answer.status, status, output, store, label, durability: durability.observedValue }
}

/** `/status`. */
export async function statusOf(service: Hosted): Promise<Status> {
  const answer = await service.fetch('/status', { headers: { authorization: `Bearer ${adminToken}` } })
  assert.equal(answer.status, 200)
  return await bodyOf(answer)
}

/** The JSON of an answer. Tests assert what is in it; its type says nothing that could be trusted. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the service said.
export async function bodyOf(answer: Response): Promise<any> {
  return await answer.json()
}

/** `holdfast check --json` in a folder of its own, or in the one given. */
export async function checkJson(t: Cleanup, options: ProcessOptions = {}): Promise<Check> {
  const env = { ADMIN_TOKEN: adminToken, ...options.env }
  const args = [cliEntry, 'check', '--json']
  const { code, stdout, stderr } = await runProcess(t, { ...options, env, args })
  assert.equal(stderr, '')
  return checkOf(stdout, code)
}

/** The same without a process of its own: where only what it says is looked at. */
export async function checkHere(cwd: string, env: Readonly<Record<string, string | undefined>>): Promise<Check> {
  const report = await check({ env: cleanEnvironment(cwd, { ADMIN_TOKEN: adminToken, ...env }), cwd })
  const text = JSON.stringify(jsonOf(report))
  return checkOf(text, exitCodeFor(report.problems))
}

function checkOf(text: string, code: number | null): Check {
  const found: Check = JSON.parse(text)
  return { ...found, problems: found.problems.filter(isMatter), code, text }
}

/** The collection of these tests is public, which is told everywhere and is no matter of theirs. */
function isMatter({ code }: SeenProblem): boolean {
  return code !== 'ACCESS_PUBLIC'
}

/** The problem that is wanted, exactly once. */
export function findProblem(problems: readonly SeenProblem[], wanted: Wanted): SeenProblem {
  const found = problems.filter((problem) => isWanted(problem, wanted))
  const all = JSON.stringify(problems, null, 2)
  assert.equal(found.length, 1, `${found.length} problems are like ${inspectWanted(wanted)}:\n${all}`)
  return found[0] as SeenProblem // There is one, as was asserted.
}

/** The problem is in `/status`, and in the log at its own level with setting, origin and remedy. */
export async function assertSaid(sight: Pick<Sight, 'service' | 'problems'>, wanted: Wanted): Promise<void> {
  const problem = findProblem(sight.problems, wanted)
  await assertLogged(sight.service, problem)
}

/** A line of the problem's own is in the log. */
export async function assertLogged(service: Hosted, problem: SeenProblem): Promise<void> {
  const level = { error: 'error', warning: 'warn', info: 'info' }[problem.severity]
  const isIts = (line: LogLine): boolean =>
    line.level === level && line.code === problem.code && line.setting === problem.setting
  const line = await until(() => service.log().find(isIts), { what: `a ${level} line of ${problem.code} in the log` })
  assert.equal(line.detail ?? line.msg, problem.message)
  assert.equal(line.suggestion, problem.suggestion)
}

/** The service serves its own file; health warns only of what is wrong with the settings. */
export function assertLocal(sight: Sight): void {
  assert.equal(sight.store, 'local; driver=sqlite')
  assert.match(sight.durability, /^local/)
  assert.equal(sight.health.status, sight.problems.some(({ severity }) => severity !== 'info') ? 'warn' : 'pass')
  assert.equal(sight.health.http, 200)
  assert.equal(sight.health.store, 'local')
  assert.equal(sight.status.database.declared, false)
}

/** The service serves the fallback of a declared primary, and a write goes into its journal. */
export function assertFallback(sight: Sight): void {
  assert.match(sight.durability, /^journal/)
  assertFallbackServes(sight)
}

/** The service serves the fallback of a declared primary, which is a warning. */
export function assertFallbackServes(sight: Sight): void {
  assert.equal(sight.store, 'fallback; driver=sqlite')
  assert.equal(sight.health.status, 'warn')
  assert.equal(sight.health.http, 200)
  assert.equal(sight.health.store, 'fallback')
  assert.equal(sight.status.database.declared, true)
}

/** The service serves the declared primary. */
export function assertPrimary(sight: Sight): void {
  assert.equal(sight.store, 'primary; driver=sqlite')
  // Its file is in a temporary directory.
  assert.equal(sight.durability, 'primary-ephemeral')
  assert.equal(sight.health.http, 200)
  assert.equal(sight.health.store, 'primary')
  assert.equal(sight.status.database.declared, true)
}

function isWanted(problem: SeenProblem, wanted: Wanted): boolean {
  const { code, severity, setting, part, message, suggestion } = wanted
  if (problem.code !== code) return false
  if (severity !== undefined && problem.severity !== severity) return false
  if (setting !== undefined && problem.setting !== setting) return false
  if (part !== undefined && problem.part !== part) return false
  if (message !== undefined && !message.test(problem.message)) return false
  return suggestion === undefined || suggestion.test(problem.suggestion)
}

function inspectWanted(wanted: Wanted): string {
  return JSON.stringify(wanted, (_key, value) => (value instanceof RegExp ? String(value) : value))
}
