import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, type TestContext, test } from 'node:test'
import { S3Target } from '../../../src/archive/target/s3.ts'
import type { S3Address, S3Credentials } from '../../../src/archive/target/s3-client.ts'
import { fenceKey, objectMaxBytes, TargetError, type TargetFaultKind } from '../../../src/archive/target/target.ts'
import { Secret } from '../../../src/config/secret.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { type S3Behaviour, type S3Misbehaviour, type S3Request, S3Server } from '../../support/s3-server.ts'
import { cleanLater } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const body = new TextEncoder().encode('the rows of one segment')

interface Options {
  readonly address?: Partial<S3Address>
  readonly credentials?: Partial<S3Credentials>
  readonly clock?: FakeClock
}

function targetAt(server: S3Server, { address, credentials, clock }: Options = {}): S3Target {
  const { bucket, origin: endpoint, region, accessKeyId } = server
  const secretAccessKey = new Secret(server.secretAccessKey)
  return new S3Target({
    address: { bucket, prefix: 'archive', endpoint, region, ...address },
    credentials: () => ({ accessKeyId, secretAccessKey, sessionToken: null, ...credentials }),
    clock: clock ?? systemClock,
    random: () => 0,
  })
}

async function serve(
  t: TestContext,
  behaviour: Partial<S3Behaviour> = {},
): Promise<{ server: S3Server; target: S3Target }> {
  const server = await S3Server.start(t, behaviour)
  return { server, target: targetAt(server) }
}

async function failureOf(work: Promise<unknown>): Promise<TargetError> {
  const error = await work.then(
    () => assert.fail('It did not reject.'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof TargetError, String(error))
  return error
}

async function listAll(target: S3Target, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const page of target.list(prefix)) keys.push(...page.map(({ key }) => key))
  return keys
}

const isPut = ({ method, key }: S3Request): boolean => method === 'PUT' && !key.endsWith(fenceKey)
const isGet = ({ method, key }: S3Request): boolean => method === 'GET' && key !== ''

void suite('what a store may answer', () => {
  const cases: readonly (readonly [string, Partial<S3Behaviour>, Options, TargetFaultKind, RegExp])[] = [
    [
      'an access key that it does not know',
      {},
      { credentials: { accessKeyId: 'OTHER' } },
      'auth',
      /ARCHIVE_ACCESS_KEY_ID/,
    ],
    [
      'a wrong secret',
      {},
      { credentials: { secretAccessKey: new Secret('not-the-secret') } },
      'auth',
      /check ARCHIVE_SECRET_ACCESS_KEY/,
    ],
    ['no such bucket', {}, { address: { bucket: 'none' } }, 'missing', /no bucket "none" at http/],
    ['a clock that is behind', { skewMs: 1_380_000 }, {}, 'clock', /23 minutes behind/],
    ['a clock that is ahead', { skewMs: -1_380_000 }, {}, 'clock', /23 minutes ahead of/],
  ]
  for (const [what, behaviour, options, kind, hint] of cases) {
    test(`${what}: every operation says so, and is not tried again`, async (t) => {
      const server = await S3Server.start(t, behaviour)
      const target = targetAt(server, options)
      for (const work of [
        () => target.putNew('a', body),
        () => target.put('a', body),
        () => target.get('a'),
        () => listAll(target),
        () => target.remove('a'),
      ]) {
        const before = server.requests.length
        const error = await failureOf(work())
        assert.equal(error.kind, kind, error.message)
        assert.match(error.hint, hint)
        assert.equal(server.requests.length, before + 1)
        assert.ok(!`${error.message}${error.hint}`.includes('secret/of'))
      }
      assert.equal(server.objects.size, 0)
    })
  }

  const answers: readonly (readonly [S3Misbehaviour, TargetFaultKind, RegExp, number])[] = [
    ['denied', 'auth', /right to write \(s3:PutObject\) in bucket "rows"/, 1],
    ['full', 'full', /no room/, 1],
    ['html', 'odd', /proxy/, 1],
    ['redirect', 'odd', /not at http/, 1],
    ['busy', 'busy', /fewer requests/, 3],
    ['broken', 'busy', /fault of its own/, 3],
    ['conflict', 'busy', /fewer requests/, 3],
    ['reset', 'unreachable', /network/, 3],
  ]
  for (const [what, kind, hint, tries] of answers) {
    test(`${what}: a put is an error of kind ${kind} after ${tries} tries, and nothing is stored`, async (t) => {
      const { server, target } = await serve(t)
      server.misbehave(what, isPut)
      for (const put of [() => target.putNew('a', body), () => target.put('a', body)]) {
        const before = server.requests.filter(isPut).length
        const error = await failureOf(put())
        assert.equal(error.kind, kind, error.message)
        assert.match(error.hint, hint)
        assert.equal(server.requests.filter(isPut).length - before, tries)
      }
      assert.deepEqual(
        [...server.objects.keys()].filter((key) => !key.endsWith(fenceKey)),
        [],
      )
    })
  }

  const reads: readonly (readonly [S3Misbehaviour, TargetFaultKind])[] = [
    ['html', 'odd'],
    ['html-404', 'odd'],
    ['denied', 'auth'],
    ['busy', 'busy'],
    ['redirect', 'unreachable'],
  ]
  for (const [what, kind] of reads) {
    test(`${what}: a read is an error of kind ${kind}, and never an object that is not there`, async (t) => {
      const { server, target } = await serve(t)
      await target.put('a', body)
      server.misbehave(what)
      assert.equal((await failureOf(target.get('a'))).kind, kind)
      if (what !== 'html-404') assert.notEqual((await failureOf(listAll(target))).message, '')
    })
  }

  for (const redirectsGets of [true, false]) {
    const isContent = ({ method }: S3Request): boolean => method === (redirectsGets ? 'CONTENT' : 'GET')
    test(`a body that ends early is read again, an empty one is an error (redirects: ${redirectsGets})`, async (t) => {
      const { server, target } = await serve(t, { redirectsGets })
      await target.put('a', body)
      server.misbehave('truncated', isContent, 2)
      assert.deepEqual(await target.get('a'), Buffer.from(body))
      const restore = server.misbehave('truncated', isContent)
      assert.equal((await failureOf(target.get('a'))).kind, 'unreachable')
      restore()
      server.misbehave('empty', isContent)
      const error = await failureOf(target.get('a'))
      assert.equal(error.kind, 'odd')
      assert.match(error.message, /empty object/)
    })
  }

  test('an object that is empty or too long in the store gives no bytes: its reader finds it damaged', async (t) => {
    const { server, target } = await serve(t)
    for (const key of ['a', 'b']) await target.put(key, body)
    const [a = '', b = ''] = [...server.objects.keys()].filter((key) => !key.endsWith('fence.txt'))
    server.objects.set(a, new Uint8Array())
    server.objects.set(b, new Uint8Array(objectMaxBytes + 1))
    for (const key of ['a', 'b']) assert.equal((await target.get(key))?.length, 0)
  })

  test('errors that pass are tried again within the call', async (t) => {
    const { server, target } = await serve(t)
    for (const what of ['busy', 'broken', 'conflict', 'reset'] as const) {
      server.misbehave(what, () => true, 2)
      assert.equal(await target.putNew(`a/${what}`, body), 'stored')
    }
    server.misbehave('busy', isGet, 2)
    assert.deepEqual(await target.get('a/busy'), Buffer.from(body))
  })

  test('no right to delete is said when something is removed', async (t) => {
    const { target } = await serve(t, { mayDelete: false })
    const error = await failureOf(target.remove('a'))
    assert.equal(error.kind, 'auth')
    assert.match(error.hint, /delete \(s3:DeleteObject\)/)
  })

  test('nothing listens there, and no such host', async (t) => {
    const { server, target } = await serve(t)
    await server.stop()
    assert.match((await failureOf(target.get('a'))).hint, /check the port/)
    await server.resume()
    assert.equal(await target.get('a'), null)
    const lost = targetAt(server, { address: { endpoint: 'http://holdfast.invalid' } })
    assert.match((await failureOf(lost.get('a'))).hint, /DNS/)
  })

  test('a listing that is something else, or out of order, is an error', async (t) => {
    const answers = ['<a/>', '<ListBucketResult>', listing('b', 'a'), listing('archive/a', 'other/b')]
    for (const answer of answers) {
      const endpoint = await answering(t, answer)
      const target = targetAt(await S3Server.start(t), { address: { endpoint } })
      assert.equal((await failureOf(listAll(target))).kind, 'odd', answer)
    }
  })
})

void suite('put if absent', () => {
  test('a put that is stored and whose answer is lost finds its own object', async (t) => {
    const { server, target } = await serve(t)
    await target.putNew('a', body)
    server.misbehave('lost', isPut, 1)
    assert.equal(await target.putNew('b', body), 'exists')
    assert.deepEqual(await target.get('b'), Buffer.from(body))
    assert.equal(target.isFencing, true)
  })

  test('412 for a name that is free is a fault of something between, and no other process', async (t) => {
    const { server, target } = await serve(t)
    server.misbehave('precondition', isPut)
    const error = await failureOf(target.putNew('a', body))
    assert.equal(error.kind, 'odd')
    assert.match(error.message, /412/)
  })

  for (const conditions of ['ignored', 'unsupported'] as const) {
    test(`a store whose conditions are ${conditions} is known not to fence before anything is put`, async (t) => {
      const { server, target } = await serve(t, { conditions })
      assert.equal(await target.putNew('a', body), 'stored')
      assert.equal(target.isFencing, false)
      assert.deepEqual(await target.get('a'), Buffer.from(body))
      assert.ok(server.requests.every(({ key }) => key === 'archive/a' || key === `archive/${fenceKey}`))
    })
  }

  test('whether a store fences is asked once, with what harms nothing where it is there already', async (t) => {
    const { server, target } = await serve(t)
    await target.putNew('a', body)
    const probes = (): number => server.requests.filter(({ key }) => key.endsWith(fenceKey)).length
    assert.equal(probes(), 2)
    await target.putNew('b', body)
    assert.equal(probes(), 2)
    await targetAt(server).putNew('c', body)
    assert.equal(probes(), 3)
  })
})

void suite('redirects', () => {
  test('the other origin gets neither the signature nor the session token', async (t) => {
    const server = await S3Server.start(t)
    const target = targetAt(server, { credentials: { sessionToken: new Secret('a-session-token') } })
    await target.put('a', body)
    assert.deepEqual(await target.get('a'), Buffer.from(body))
    assert.ok(server.requests.some(({ method, status }) => method === 'GET' && status === 302))
    assert.deepEqual(server.leaked, [])
  })

  test('reads that are redirected keep the connection to the store', async (t) => {
    const server = await S3Server.start(t)
    const target = targetAt(server)
    await target.put('a', body)
    const before = server.connections
    for (let round = 0; round < 5; round += 1) await target.get('a')
    assert.equal(server.connections, before)
  })

  test('a redirect in a circle, or to what is no web address, ends', async (t) => {
    for (const location of ['/archive', 'ftp://127.0.0.1/x', 'http://']) {
      const endpoint = await answering(t, '', { status: 302, location })
      const target = targetAt(await S3Server.start(t), { address: { endpoint } })
      assert.equal((await failureOf(target.get('a'))).kind, 'odd', location)
    }
  })

  test('a bucket in another region is named with its region', async (t) => {
    const endpoint = await answering(t, '<Error><Code>PermanentRedirect</Code></Error>', {
      status: 301,
      'x-amz-bucket-region': 'eu-west-1',
    })
    const target = targetAt(await S3Server.start(t), { address: { endpoint } })
    assert.match((await failureOf(target.put('a', body))).hint, /region=eu-west-1/)
  })
})

void suite('limits', () => {
  test('a store that never answers is given up, and the signal ends a call at once', async (t) => {
    const clock = new FakeClock()
    const server = await S3Server.start(t)
    const target = targetAt(server, { clock })
    server.misbehave('hang')
    for (const work of [() => target.put('a', body), () => listAll(target), () => target.remove('a')]) {
      const before = server.requests.length
      const failed = failureOf(work())
      await until(() => server.requests.length > before)
      await clock.advance(21_000)
      const error = await failed
      assert.equal(error.kind, 'unreachable')
      assert.match(error.message, /longer than 20 s/)
      assert.equal(clock.pending, 0)
    }
    // An object may take long, the head of the answer not: that is tried again.
    const unread = failureOf(target.get('a'))
    for (let tries = 1; tries <= 3; tries += 1) {
      await until(() => server.requests.filter(isGet).length === tries)
      await clock.advance(20_700)
    }
    assert.equal((await unread).kind, 'unreachable')
    const controller = new AbortController()
    const reading = target.get('a', controller.signal)
    controller.abort(new Error('the service ends'))
    await assert.rejects(reading, /the service ends/)
    assert.equal(clock.pending, 0)
  })

  test('without a key nothing is sent, and a key that was rotated is used at once', async (t) => {
    const server = await S3Server.start(t)
    let current: S3Credentials | null = null
    const { bucket, origin: endpoint, region, accessKeyId } = server
    const address = { bucket, prefix: '', endpoint, region }
    const target = new S3Target({ address, credentials: () => current, clock: systemClock, random: () => 0 })
    assert.equal((await failureOf(target.put('a', body))).kind, 'auth')
    assert.equal(server.requests.length, 0)
    current = { accessKeyId, secretAccessKey: new Secret('old'), sessionToken: null }
    assert.equal((await failureOf(target.put('a', body))).kind, 'auth')
    current = { accessKeyId, secretAccessKey: new Secret(server.secretAccessKey), sessionToken: null }
    await target.put('a', body)
    assert.deepEqual([...server.objects.keys()], ['a'])
    assert.deepEqual(await listAll(target), ['a'])
  })

  test('the endpoint may have a path', async (t) => {
    const server = await S3Server.start(t)
    const target = targetAt(server, { address: { endpoint: `${server.origin}/team` } })
    assert.equal((await failureOf(target.put('a', body))).kind, 'missing')
    assert.equal(server.requests.at(-1)?.key, 'rows/archive/a')
  })
})

function listing(...keys: readonly string[]): string {
  const entries = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')
  return `<ListBucketResult><IsTruncated>false</IsTruncated>${entries}</ListBucketResult>`
}

/** The origin of a server that answers everything alike. */
async function answering(
  t: TestContext,
  text: string,
  { status = 200, ...headers }: { readonly status?: number; readonly [name: string]: string | number | undefined } = {},
): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, headers)
    response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanLater(t, () => {
    server.closeAllConnections()
    server.close()
  })
  // A server that listens on a port has such an address.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
