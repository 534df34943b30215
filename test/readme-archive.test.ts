import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { commandsOf, readPage, sectionOf } from './support/pages.ts'
import { exportedBy, repository, runProcess, type Service, startService } from './support/process.ts'
import { until } from './support/until.ts'

const page = readPage('README.md')
const walk = { ...page, text: sectionOf(page, 'When the disk is lost') }
const holdfast = join(repository, 'src/cli/holdfast.js')

/** What each command of the walk has to print, in their order; null: it starts or ends a service. */
const expected: readonly (readonly [command: RegExp, printed: RegExp | null])[] = [
  [/^export ARCHIVE_URL="file:\/\/\$PWD\/archive"; npm start &$/, null],
  [/^rate\(\) \{/, null],
  [/^rate '\{"rating":5\}'$/, /^HTTP\/1\.1 201 [\s\S]*^Holdfast-Durability: archived\r$/m],
  [/^kill -9 .* && rm -rf data && npm start &$/, null],
  [/^curl localhost:7860\/api\/feedback$/, /^\{"items":\[\{"id":"[^"]+","rating":5,/],
  [/^npx holdfast archive list$/, /^Lineage [\s\S]*segments to \d+/m],
]

test('the walk through a lost disk on the first page goes as it says', async (t) => {
  const commands = commandsOf(walk).map(({ command }) => command)
  assert.equal(commands.length, expected.length)
  let service = await startService(t)
  const exported = await exportedBy(t, commands[0] ?? '', 'ARCHIVE_URL', service.dir)
  assert.equal(exported, `file://${service.dir}/archive`, 'the next commands have it, too')
  const env = { ARCHIVE_URL: exported, DATA_DURABLE: 'false' }
  await service.end('SIGKILL')
  service = await startService(t, { cwd: service.dir, env })
  let defined = ''
  for (const [at, command] of commands.entries()) {
    const [shape, printed] = expected[at] ?? [/never/, null]
    assert.match(command, shape)
    if (command.startsWith('rate() ')) defined = command
    if (command.startsWith('kill -9 ')) {
      await service.end('SIGKILL')
      await rm(join(service.dir, 'data'), { recursive: true })
      service = await startService(t, { cwd: service.dir, env })
    }
    if (printed === null) continue
    const running = service
    const run = async (): Promise<string> => {
      const local = `${defined}\n${command}`
        .replaceAll('localhost:7860', `127.0.0.1:${running.port}`)
        .replaceAll('npx holdfast', `'${process.execPath}' '${holdfast}'`)
        .replaceAll('curl ', 'curl --silent --show-error ')
      const done = await runProcess(t, { command: '/bin/sh', args: ['-c', local], cwd: running.dir, env })
      return done.stdout
    }
    // A person takes longer to type than a service takes to start.
    await printing(printed, run)
  }
  assert.equal(await durabilityOf(service), 'local-ephemeral')
})

/** Runs a command until it prints that. */
async function printing(printed: RegExp, run: () => Promise<string>): Promise<string> {
  const asExpected = async (): Promise<string | null> => {
    const shown = await run()
    return printed.test(shown) ? shown : null
  }
  return await until(asExpected, { withinMs: 15_000, what: String(printed) })
}

async function durabilityOf(service: Service): Promise<string | null> {
  const answer = await service.send('POST', '/api/feedback', { rating: 4 })
  assert.ok(Number(answer.headers.get('holdfast-archive-lag')) >= 0)
  return answer.headers.get('holdfast-durability')
}
