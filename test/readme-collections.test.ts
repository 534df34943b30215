import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocksOf, commandsOf, readPage, wildcard } from './support/pages.ts'
import { repository, runProcess, type Service, startService } from './support/process.ts'
import type { Cleanup } from './support/temp.ts'

const page = readPage('config/collections/README.md')
const holdfast = join(repository, 'src/cli/holdfast.js')
const noCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'no curl on this machine'

test('each line of the page on collections answers as it shows', { skip: noCurl, timeout: 240_000 }, async (t) => {
  const collections = blocksOf(page, 'json').map((json) => [`config/collections/${JSON.parse(json).name}.json`, json])
  const { token, env } = await createToken(t)
  const service = await startService(t, { files: Object.fromEntries(collections), env })
  const checked = await runProcess(t, { cwd: service.dir, args: [holdfast, 'check', '--json'], env })
  const problems: readonly { readonly severity: string }[] = JSON.parse(checked.stdout).problems
  assert.deepEqual(
    problems.filter(({ severity }) => severity !== 'info'),
    [],
  )
  let defined = `SHOP=${token}`
  let curls = 0
  for (const { command, printed } of commandsOf(page)) {
    if (command.startsWith('npx ')) continue
    if (!command.startsWith('curl ')) {
      defined += `\n${command}`
      continue
    }
    curls += 1
    assert.match(await shell(t, service, `${defined}\n${command}`), wildcard(printed), command)
  }
  assert.ok(curls > 30)
})

/** What the page does with `npx holdfast token`, and with what it prints. */
async function createToken(t: Cleanup): Promise<{ readonly token: string; readonly env: Record<string, string> }> {
  const command = commandsOf(page).find((one) => one.command.startsWith('npx holdfast token '))
  const args = [holdfast, ...(command?.command.split(' ').slice(2) ?? [])]
  const { stdout, code, stderr } = await runProcess(t, { args })
  assert.equal(code, 0, stderr)
  const [token = ''] = /hfst_\w+/.exec(stdout) ?? []
  const [entry = ''] = /\{.*\}/.exec(stdout) ?? []
  return { token, env: { API_TOKENS: `[${entry}]`, CORS_ORIGINS: 'https://shop.example' } }
}

async function shell(t: Cleanup, service: Service, script: string): Promise<string> {
  const local = script
    .replaceAll('localhost:7860', `127.0.0.1:${service.port}`)
    .replace(/^curl /m, 'curl --silent --show-error ')
  const { stdout, stderr, code } = await runProcess(t, { command: '/bin/sh', args: ['-c', local], cwd: service.dir })
  assert.equal(code, 0, `${script}\n${stderr}`)
  // Headers and CSV have lines of the network.
  return stdout.replaceAll('\r\n', '\n')
}
