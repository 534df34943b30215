import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocksOf, commandsOf, readPage, sectionOf } from './support/pages.ts'
import { type Exit, exportedBy, repository, runProcess, type Service, startService } from './support/process.ts'
import { noPostgres, type Postgres, startPostgres } from './support/servers/postgres.ts'
import type { Cleanup } from './support/temp.ts'
import { until } from './support/until.ts'

const page = readPage('README.md')
const walk = { ...page, text: sectionOf(page, 'When the database fails') }
const holdfast = join(repository, 'src/cli/holdfast.js')

/** What each command of the walk has to print, in their order; null: it is not run as it stands. */
const expected: readonly (readonly [command: RegExp, printed: RegExp | null])[] = [
  [/^docker run -d --name pg -p 5432:5432 /, null],
  [/^export DATABASE_URL='postgresql:\/\/.*'; npm start &$/, null],
  [/^bug\(\) \{/, null],
  [/^bug POST '' '\{"title":"Login fails"\}'$/, /^HTTP\/1\.1 201 [\s\S]*^Holdfast-Durability: primary\r$/m],
  [/^bug POST '' '\{"title":"Page is slow"\}'$/, /^HTTP\/1\.1 201 /],
  [/^npx holdfast check$/, /^ {2}bugs +2 rows, complete, \d+ s old: readable and writable$/m],
  [/^docker kill pg$/, null],
  [
    /^bug GET$/,
    /^HTTP\/1\.1 200 [\s\S]*^Holdfast-Store: fallback[\s\S]*^Holdfast-As-Of: [\s\S]*^\{"items":\[\{[^}]*"title":"Page is slow"[^}]*\},\{[^}]*"title":"Login fails"[^}]*\}\],"next":null\}$/m,
  ],
  [
    /^bug PATCH \/ID1 '\{"severity":"high"\}'$/,
    /^HTTP\/1\.1 200 [\s\S]*^Holdfast-Durability: journal\r$[\s\S]*"title":"Login fails","severity":"high"/m,
  ],
  [/^bug PATCH \/ID2 '\{"title":"Ours"\}'$/, /^HTTP\/1\.1 200 /],
  [/^docker run -i --rm --volumes-from pg -u postgres postgres:18 postgres --single postgres <<< "update .*"$/, null],
  [/^docker start pg$/, null],
  [/^bug GET \/ID1$/, /^HTTP\/1\.1 200 [\s\S]*^Holdfast-Store: primary[\s\S]*"title":"Login fails","severity":"high"/m],
  [/^npx holdfast conflicts list$/, /update_differing[\s\S]*1 open conflict/],
  [/^npx holdfast conflicts take ours ID$/, /^Settled: ours\.$/m],
]

test('the walk through an outage on the first page goes as it says', { skip: noPostgres }, async (t) => {
  const commands = commandsOf(walk).map(({ command }) => command)
  assert.equal(commands.length, expected.length)
  const exported = await exportedBy(t, commands[1] ?? '', 'DATABASE_URL', repository)
  assert.match(exported, /^postgresql:/, 'the next commands have it, too')
  const postgres = await startPostgres(t)
  const env = { DATABASE_URL: postgres.url(), DATA_DURABLE: 'true' }
  const [json = ''] = blocksOf(page, 'json')
  const service = await startService(t, { files: { 'config/collections/bugs.json': json }, env })
  let defined = ''
  let open = ''
  const rows: string[] = []
  for (const [at, command] of commands.entries()) {
    const [shape, printed] = expected[at] ?? [/never/, null]
    assert.match(command, shape)
    if (command.startsWith('bug() ')) defined = command
    await docker(command, postgres, service)
    if (printed === null) continue
    const named = command.replace(/ ID$/, ` ${open}`).replace(/\/ID(\d)/, (_, at) => `/${rows[Number(at) - 1]}`)
    const run = () => shell(t, service, env, `${defined}\n${named}`)
    // The copy takes a moment; all else is to be so at once.
    const done = command === 'npx holdfast check' ? await printing(printed, run) : await run()
    assert.match(done.stdout, printed, `${command}\n${done.stderr}`)
    assert.equal(done.code, 0, command)
    open = /^\s*([0-9a-f-]{36}) /m.exec(done.stdout)?.[1] ?? open
    if (command.startsWith('bug POST ')) rows.push(/"id":"([^"]+)"/.exec(done.stdout)?.[1] ?? '')
  }
  const { items } = (await (await service.fetch('/api/bugs')).json()) as { items: { title: string }[] }
  assert.deepEqual(
    items.map(({ title }) => title),
    ['Ours', 'Login fails'],
  )
  const health = async (): Promise<boolean> =>
    ((await (await service.fetch('/health')).json()) as { status: string }).status === 'pass'
  await until(health, { withinMs: 20_000, what: 'health that passes after the conflict was settled' })
})

/** Runs a command until it prints that. */
async function printing(printed: RegExp, run: () => ReturnType<typeof shell>): ReturnType<typeof shell> {
  const asExpected = async () => {
    const done = await run()
    return printed.test(done.stdout) ? done : null
  }
  return await until(asExpected, { withinMs: 15_000, what: String(printed) })
}

/** What Docker would do to the server of the test. */
async function docker(command: string, postgres: Postgres, service: Service): Promise<void> {
  if (command === 'docker kill pg') await postgres.kill()
  const [, sql] = /^docker run .* postgres --single postgres <<< "(.*)"$/.exec(command) ?? []
  if (sql !== undefined) await postgres.alone(sql)
  if (command !== 'docker start pg') return
  await postgres.start()
  const serves = async (): Promise<boolean> =>
    (await service.fetch('/api/bugs')).headers.get('holdfast-store')?.startsWith('primary') === true
  await until(serves, { withinMs: 15_000, what: 'the primary that serves again' })
}

/** Runs a command line of the page in the folder of the service. */
async function shell(
  t: Cleanup,
  service: Service,
  env: Readonly<Record<string, string>>,
  line: string,
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const local = line
    .replaceAll('localhost:7860', `127.0.0.1:${service.port}`)
    .replaceAll('npx holdfast', `'${process.execPath}' '${holdfast}'`)
    .replaceAll('curl ', 'curl --silent --show-error ')
  return await runProcess(t, { command: '/bin/sh', args: ['-c', local], cwd: service.dir, env })
}
