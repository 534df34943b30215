import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { repository } from '../../support/process.ts'
import { noPostgres } from '../../support/servers/postgres.ts'
import { cleanLater } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const support = pathToFileURL(join(repository, 'test/support/servers/postgres.ts')).href
const program = `
  import { startPostgres } from ${JSON.stringify(support)}
  const server = await startPostgres({ after: () => {} })
  if (process.argv[1] === 'paused') server.pause()
  console.log(server.socketDir)
  setInterval(() => {}, 60_000)
`

for (const state of ['running', 'paused']) {
  test(`a ${state} server of a test that is killed ends with it, and so do its files`, {
    skip: noPostgres,
  }, async (t) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanLater(t, () => void child.kill('SIGKILL'))
    const [dir] = (await once(createInterface(child.stdout), 'line')) as [string] // A line of text.
    const pid = Number(readFileSync(join(dir, 'data/postmaster.pid'), 'utf8').split('\n', 1)[0])
    const processes = [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)]
    assert.ok(processes.length > 3, `${processes}`)
    child.kill('SIGKILL')
    const isOver = () => !existsSync(dir) && processes.every(isGone)
    await until(isOver, { withinMs: 10_000, what: 'the server to end' })
  })
}

/** In a container nobody may be there to fetch the exit codes of orphans. */
function isGone(pid: number | string): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
