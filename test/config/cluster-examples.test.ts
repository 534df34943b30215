import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseEnv } from 'node:util'
import { haproxyConfig, patroniConfig, patroniTimes } from '../cluster/patroni/config.ts'
import { findRequired } from '../cluster/requirement.ts'
import { repository, runProcess } from '../support/process.ts'
import { makeTempDir, writeFiles } from '../support/temp.ts'
import { parsePlainYaml } from './plain-yaml.ts'

const examples = join(repository, 'config/examples')
const read = (name: string): string => readFileSync(join(examples, name), 'utf8')

for (const kind of ['patroni', 'galera'] as const) {
  test(`the variables for ${kind} name all members, and are checked without a word`, async (t) => {
    const env = parseEnv(read(`${kind}/holdfast.env`))
    const cwd = await makeTempDir(t, 'example')
    await writeFiles(cwd, { 'admin-token': 'a-token-of-32-characters-or-more\n' })
    const own = { DATA_DIR: cwd, ADMIN_TOKEN_FILE: join(cwd, 'admin-token') }
    const args = [join(repository, 'src/cli/holdfast.js'), 'check', '--json']
    const { stdout } = await runProcess(t, { cwd, args, env: { ...env, ...own, PORT: undefined, HOST: undefined } })
    const { problems, primary } = JSON.parse(stdout)
    const severe = problems.filter(({ severity }: { severity: string }) => severity !== 'info')
    assert.deepEqual(severe, [])
    for (const node of ['node1', 'node2', 'node3']) assert.ok(JSON.stringify(primary).includes(node), node)
  })

  test(`everything in the example for ${kind} is named by its page`, () => {
    const page = read(`${kind}/README.md`)
    for (const file of readdirSync(join(examples, kind))) {
      if (file !== 'README.md') assert.ok(page.includes(`(${file})`), file)
    }
  })
}

const ports = { server: 1, serverProxy: 5432, agent: 3, agentProxy: 8008, etcdProxy: 5 }

test('the lines for HAProxy are those of the runs, and HAProxy accepts them', async (t) => {
  const example = read('patroni/haproxy.cfg')
  const lines = haproxyConfig('/data', 5000, [ports]).split('\n')
  const shared = lines.filter((line) => /check inter|default-server|httpchk|http-check|timeout/.test(line))
  assert.ok(shared.length >= 7)
  for (const line of shared) assert.ok(example.includes(line), line)
  const haproxy = findRequired('patroni', 'haproxy')
  if (haproxy === null) {
    t.diagnostic('no haproxy on this machine: the lines were compared, not checked')
    return
  }
  const cwd = await makeTempDir(t, 'haproxy')
  // Names of yours, which this machine cannot resolve.
  await writeFiles(cwd, { 'haproxy.cfg': example.replaceAll(/ node\d:5432/g, ' 127.0.0.1:5432') })
  const { status, stderr } = spawnSync(haproxy, ['-c', '-f', join(cwd, 'haproxy.cfg')], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('the configuration of Patroni is that of the runs', () => {
  const [example] = parsePlainYaml(read('patroni/patroni.yml')) as [Record<string, unknown>] // A map, as Patroni's own.
  const run = JSON.parse(patroniConfig('m1', '/data', ports, '/bin')).bootstrap.dcs
  const { synchronous_mode, synchronous_mode_strict, postgresql, ...times } = example
  const { postgresql: own, ...others } = run
  assert.deepEqual(times, others)
  assert.equal(times.ttl, patroniTimes.ttl)
  assert.deepEqual([synchronous_mode, synchronous_mode_strict], [false, false])
  assert.deepEqual(postgresql, { use_pg_rewind: own.use_pg_rewind, use_slots: own.use_slots })
})

test('the lines for a node of Galera are those that its server knows', (t) => {
  const text = read('galera/galera.cnf')
  const mariadbd = findRequired('galera', 'mariadbd')
  if (mariadbd === null || !existsSync('/usr/lib/galera/libgalera_smm.so')) {
    t.diagnostic('no MariaDB with Galera on this machine')
    return
  }
  const known = spawnSync(mariadbd, ['--no-defaults', '--verbose', '--help'], { encoding: 'utf8', cwd: '/' }).stdout
  const names = [...text.matchAll(/^([a-z_]+)=/gm)].map(([, name = '']) => name.replaceAll('_', '-'))
  assert.ok(names.length >= 8)
  assert.deepEqual(
    names.filter((name) => !known.includes(`--${name}`) && !new RegExp(`^${name} `, 'm').test(known)),
    [],
  )
})
