import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { readLayers } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import type { ResolvedSettings } from '../../src/config/settings.ts'
import { dataFolders } from '../../src/disk/data-directory.ts'
import { makeTempDir, writeFiles } from '../support/temp.ts'
import { parsePlainYaml } from './plain-yaml.ts'

// The casts below say what the next assertions check, or what the platform's own parser would refuse.

const root = fileURLToPath(new URL('../../', import.meta.url))
const examples = `${root}config/examples/`
const token = 'a-token-of-32-characters-or-more'

const read = (name: string): Promise<string> => readFile(examples + name, 'utf8')

/** A value within parsed YAML or JSON, by its path; fails the test where there is none. */
function at(node: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, name) => {
    assert.ok(
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name),
      `${path.join('.')}: no ${name}`,
    )
    return Reflect.get(inner, name)
  }, node)
}

/** Resolves an example's environment in the repository's configuration; where it names a secret file, that file is there. */
async function resolveExample(t: TestContext, env: Record<string, string>): Promise<ResolvedSettings> {
  const cwd = await makeTempDir(t, 'example')
  const config = ['default.json', 'production.json']
  const files = await Promise.all(
    config.map(async (name) => [`config/${name}`, await readFile(`${root}config/${name}`, 'utf8')]),
  )
  await writeFiles(cwd, { ...Object.fromEntries(files), token: `${token}\n` })
  const here = Object.entries(env).map(([name, value]) => [name, name.endsWith('_FILE') ? 'token' : value])
  const layers = await readLayers({ env: { NODE_ENV: 'production', ...Object.fromEntries(here) }, cwd })
  return resolveSettings(layers, {})
}

test('the compose file resolves without a problem, with its secret and its data in the volume', async (t) => {
  const [compose] = parsePlainYaml(await read('docker-compose.yml'))
  const service = at(compose, 'services', 'holdfast')
  const env = at(service, 'environment') as Record<string, string>
  assert.ok(
    Object.values(env).every((value) => typeof value === 'string'),
    'compose wants text',
  )
  const { settings, problems } = await resolveExample(t, env)
  assert.deepEqual(problems, [])
  assert.equal(settings.admin.token?.reveal(), token)
  const [volume, mountPoint] = String(at(service, 'volumes', 0)).split(':')
  assert.equal(dataFolders(settings, '/app')[0], mountPoint)
  at(compose, 'volumes', String(volume))
  const secret = String(at(service, 'secrets', 0))
  at(compose, 'secrets', secret, 'file')
  assert.equal(env.ADMIN_TOKEN_FILE, `/run/secrets/${secret}`)
  assert.equal(at(service, 'ports', 0), `7860:${settings.http.port}`)
  assert.ok(Number.parseInt(String(at(service, 'stop_grace_period')), 10) > settings.http.shutdownTimeoutS)
  const file = String(at(compose, 'secrets', secret, 'file')).replace(/^\.\//, '')
  assert.ok((await read('docker-compose.yml')).includes(`> config/examples/${file}`), 'made where it is looked for')
  const ignored = (await readFile(`${root}.gitignore`, 'utf8')).split('\n')
  assert.ok(ignored.includes(file), 'git keeps no secret')
})

test('the compose file with PostgreSQL names one database on both sides, and its secrets', async (t) => {
  const [compose] = parsePlainYaml(await read('docker-compose.postgresql.yml'))
  const service = at(compose, 'services', 'holdfast')
  const env = at(service, 'environment') as Record<string, string>
  assert.ok(
    Object.values(env).every((value) => typeof value === 'string'),
    'compose wants text',
  )
  const { settings, problems } = await resolveExample(t, env)
  assert.deepEqual(problems, [])
  const { driver, host, username, name, password } = settings.database
  assert.ok(settings.drivers.includes(String(driver)))
  assert.equal(password?.reveal(), token)
  const database = at(compose, 'services', String(host))
  assert.equal(at(database, 'environment', 'POSTGRES_USER'), username)
  assert.equal(at(database, 'environment', 'POSTGRES_DB'), name)
  assert.equal(at(database, 'environment', 'POSTGRES_PASSWORD_FILE'), env.DATABASE_PASSWORD_FILE)
  const text = await read('docker-compose.postgresql.yml')
  const ignored = (await readFile(`${root}.gitignore`, 'utf8')).split('\n')
  for (const secret of at(service, 'secrets') as string[]) {
    const file = String(at(compose, 'secrets', secret, 'file')).replace(/^\.\//, '')
    assert.ok(text.includes(`> config/examples/${file}`), 'made where it is looked for')
    assert.ok(ignored.includes(file), 'git keeps no secret')
  }
})

test('the Kubernetes objects fit together, and their container resolves without a problem', async (t) => {
  const [claim, deployment, service, ...more] = parsePlainYaml(await read('kubernetes.yaml'))
  assert.deepEqual(more, [])
  assert.deepEqual(
    [claim, deployment, service].map((one) => at(one, 'kind')),
    ['PersistentVolumeClaim', 'Deployment', 'Service'],
  )
  const pod = at(deployment, 'spec', 'template', 'spec')
  const container = at(pod, 'containers', 0)
  const entries = at(container, 'env') as { name: string; value: string }[]
  assert.ok(
    entries.every(({ value }) => typeof value === 'string'),
    'Kubernetes refuses numbers here',
  )
  const { settings, problems } = await resolveExample(
    t,
    Object.fromEntries(entries.map(({ name, value }) => [name, value])),
  )
  assert.deepEqual(problems, [])
  assert.equal(at(container, 'volumeMounts', 0, 'mountPath'), settings.data.dir)
  assert.equal(at(pod, 'volumes', 0, 'persistentVolumeClaim', 'claimName'), at(claim, 'metadata', 'name'))
  const mounts = at(container, 'volumeMounts') as { name: string }[]
  const volumes = at(pod, 'volumes') as { name: string }[]
  assert.deepEqual(
    mounts.map(({ name }) => name),
    volumes.map(({ name }) => name),
  )
  assert.equal(at(container, 'ports', 0, 'containerPort'), settings.http.port)
  assert.equal(at(service, 'spec', 'ports', 0, 'targetPort'), at(container, 'ports', 0, 'name'))
  const labels = at(deployment, 'spec', 'template', 'metadata', 'labels')
  assert.deepEqual(at(service, 'spec', 'selector'), labels)
  assert.deepEqual(at(deployment, 'spec', 'selector', 'matchLabels'), labels)
  assert.ok(Number(at(pod, 'terminationGracePeriodSeconds')) > settings.http.shutdownTimeoutS)
  const options = entries.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? ''
  const heap = Number(/--max-old-space-size=(\d+)/.exec(options)?.[1])
  const limit = String(at(container, 'resources', 'limits', 'memory'))
  assert.ok(heap * 2 <= Number.parseInt(limit, 10) && limit.endsWith('Mi'), 'Node ends itself before the kernel does')
  assert.equal(at(container, 'livenessProbe', 'httpGet', 'path'), '/health/live')
  assert.equal(at(container, 'readinessProbe', 'httpGet', 'path'), '/health/ready')
})

test("Railway's file names the Dockerfile and a health check, and its variables resolve without a problem", async (t) => {
  const railway: unknown = JSON.parse(await read('railway.json'))
  assert.equal(at(railway, 'build', 'builder'), 'DOCKERFILE')
  await readFile(root + String(at(railway, 'build', 'dockerfilePath')))
  assert.equal(at(railway, 'deploy', 'healthcheckPath'), '/health/ready')
  assert.ok(['ON_FAILURE', 'ALWAYS', 'NEVER'].includes(String(at(railway, 'deploy', 'restartPolicyType'))))
  const { settings, problems } = await resolveExample(t, {
    PORT: '3000',
    ...parseEnv(await read('railway.env')),
  } as Record<string, string>)
  assert.deepEqual(problems, [])
  assert.equal(settings.http.port, 3000)
  assert.equal(settings.data.dir, '/data')
})

test("the Space's front matter is complete, and its variables and secrets resolve without a problem", async (t) => {
  const [, frontMatter = ''] = /^---\n(\S[\s\S]*?)\n---\n/.exec(await read('spaces/README.md')) ?? []
  const [head] = parsePlainYaml(frontMatter)
  for (const key of ['title', 'emoji', 'colorFrom', 'colorTo']) assert.equal(typeof at(head, key), 'string')
  assert.equal(at(head, 'sdk'), 'docker')
  assert.ok(String(at(head, 'short_description')).length <= 60, 'Hugging Face takes 60 characters')
  const listed = JSON.parse(await read('spaces/variables.json')) as Record<
    'variables' | 'secrets',
    { key: string; value?: string }[]
  >
  const env = [...listed.variables, ...listed.secrets].map(({ key, value }) => [key, value ?? token])
  const space = { SPACE_ID: 'someone/feedback', SPACE_HOST: 'someone-feedback.hf.space' }
  const { settings, problems } = await resolveExample(t, { ...space, ...Object.fromEntries(env) })
  assert.deepEqual(problems, [])
  assert.equal(at(head, 'app_port'), settings.http.port)
  assert.equal(settings.platform.spaceId, space.SPACE_ID)
  assert.equal(settings.admin.token?.reveal(), token)
  assert.ok(
    listed.secrets.every((one) => one.value === undefined),
    'an example holds no secret',
  )
})

test('each example is held by a test', async () => {
  const held = [
    'README.md',
    'docker-compose.yml',
    'docker-compose.postgresql.yml',
    'kubernetes.yaml',
    // By test/config/model-examples.test.ts.
    'model',
    'railway.env',
    'railway.json',
    // By test/config/server-examples.test.ts.
    'servers',
    'spaces',
    'alerts.yml',
    // By test/plugins/examples.test.ts.
    'drivers',
    // By test/config/cluster-examples.test.ts.
    'galera',
    'patroni',
  ]
  assert.deepEqual((await readdir(examples)).sort(), held.sort())
})
