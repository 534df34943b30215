import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { repository } from '../../support/process.ts'
import { noMariadb } from '../../support/servers/mariadb.ts'
import { cleanLater } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const support = pathToFileURL(join(repository, 'test/support/servers/mariadb.ts')).href
const program = `
  import { startMariadb } from ${JSON.stringify(support)}
  const server = await startMariadb({ after: () => {} })
  if (process.argv[1] === 'paused') server.pause()
  console.log(server.socket)
  setInterval(() => {}, 60_000)
`

for (const state of ['running', 'paused']) {
  test(`a ${state} server of a test that is killed ends with it, and so do its files`, {
    skip: noMariadb,
  }, async (t) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanLater(t, () => void child.kill('SIGKILL'))
    const [socket] = (await once(createInterface(child.stdout), 'line')) as [string] // A line of text.
    const dir = dirname(socket)
    const pid = Number(readFileSync(join(dir, 'mysqld.pid'), 'utf8'))
    assert.ok(pid > 1 && !isGone(pid), `${pid}`)
    child.kill('SIGKILL')
    const isOver = () => !existsSync(dir) && isGone(pid)
    await until(isOver, { withinMs: 10_000, what: 'the server to end' })
  })
}

/** In a container nobody may be there to fetch the exit codes of orphans. */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
