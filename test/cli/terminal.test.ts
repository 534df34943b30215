import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { repository, runProcess, startProcess } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'
import { until } from '../support/until.ts'

const bundle = join(repository, 'dist/main.js')
/** A terminal of its own for the process; from util-linux, which slim machines lack. */
const hasTerminal = spawnSync('script', ['--version']).status === 0

before(async () => {
  const clean: Cleanup = { after: () => undefined }
  const built = await runProcess(clean, { cwd: repository, args: ['src/cli/build.js', '--stale'], withinMs: 60_000 })
  assert.equal(built.code, 0, built.stderr)
})

test('the built process prints lines for people when it is told to', async (t) => {
  const running = await startProcess(t, { args: [bundle], env: { LOG_FORMAT: 'pretty' } })
  await until(() => /INFO.*: Listening on/.test(running.output()), { withinMs: 20_000, what: running.output() })
  assert.deepEqual(await running.end('SIGTERM'), { code: 0, signal: null }, running.output())
})

test('the built process starts on a terminal, and prints lines for people there', { skip: !hasTerminal }, async (t) => {
  const args = ['-qec', `"${process.execPath}" "${bundle}"`, '/dev/null']
  const running = await startProcess(t, { command: 'script', args, env: { LOG_FORMAT: undefined } })
  await until(() => /INFO.*: .*Listening on/.test(running.output()), { withinMs: 20_000, what: 'a line for people' })
  assert.doesNotMatch(running.output(), /"level":/)
})
