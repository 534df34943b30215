import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { FolderTarget } from '../../../src/archive/target/folder.ts'
import { S3Target } from '../../../src/archive/target/s3.ts'
import { type ArchiveTarget, fenceKey, type ListedObject } from '../../../src/archive/target/target.ts'
import { Secret } from '../../../src/config/secret.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { S3Server } from '../../support/s3-server.ts'
import { makeTempDir } from '../../support/temp.ts'

const tools = { clock: systemClock, random: () => 0 }

interface Made {
  readonly open: () => ArchiveTarget
}

const kinds: Readonly<Record<string, (t: TestContext) => Promise<Made>>> = {
  's3 with redirects': async (t) => s3(await S3Server.start(t)),
  's3 without redirects': async (t) =>
    s3(await S3Server.start(t, { redirectsGets: false, pageKeys: 3, ignoresStartAfter: true })),
  folder: async (t) => {
    const path = await makeTempDir(t, 'archive')
    return { open: () => new FolderTarget({ ...tools, path: join(path, 'made') }) }
  },
}

function s3(server: S3Server): Made {
  const { bucket, origin: endpoint, region, accessKeyId } = server
  const address = { bucket, prefix: 'a/b', endpoint, region }
  const credentials = { accessKeyId, secretAccessKey: new Secret(server.secretAccessKey), sessionToken: null }
  return { open: () => new S3Target({ ...tools, address, credentials: () => credentials }) }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (read: Uint8Array | null): string | null => (read === null ? null : new TextDecoder().decode(read))

async function all(pages: AsyncIterable<readonly ListedObject[]>): Promise<string[]> {
  const found: string[] = []
  for await (const page of pages)
    for (const one of page) if (one.key !== fenceKey) found.push(`${one.key}=${one.bytes}`)
  return found
}

for (const [kind, make] of Object.entries(kinds)) {
  void suite(`a target of kind ${kind}`, () => {
    test('stores under a name that is free, and never in place of another object', async (t) => {
      const { open } = await make(t)
      const target = open()
      assert.equal(target.isFencing, null)
      assert.equal(await target.putNew('segments/000000000001', bytes('one')), 'stored')
      assert.equal(target.isFencing, true)
      assert.equal(await open().putNew('segments/000000000001', bytes('two')), 'exists')
      assert.equal(text(await target.get('segments/000000000001')), 'one')
      await target.put('segments/000000000001', bytes('three'))
      assert.equal(text(await target.get('segments/000000000001')), 'three')
    })

    test('of many that put one name at the same time exactly one stores', async (t) => {
      const { open } = await make(t)
      const outcomes = await Promise.all(Array.from({ length: 16 }, (_, at) => open().putNew('a/1', bytes(`by ${at}`))))
      const winner = outcomes.indexOf('stored')
      assert.equal(outcomes.filter((one) => one === 'stored').length, 1)
      assert.equal(text(await open().get('a/1')), `by ${winner}`)
    })

    test('reads nothing where nothing is, and lists nothing', async (t) => {
      const target = (await make(t)).open()
      assert.equal(await target.get('segments/1'), null)
      assert.deepEqual(await all(target.list('')), [])
      await target.remove('segments/1')
    })

    test('lists what begins with a prefix in the order of keys, behind a key', async (t) => {
      const target = (await make(t)).open()
      const keys = ['s/1', 's/2', 's-x/1', 's.json', 's/10', 's/a/b', 't/1', 's/3', 's/4', 's/5', 'sa']
      for (const key of keys) await target.put(key, bytes(key))
      const sorted = [...keys].sort().map((key) => `${key}=${key.length}`)
      assert.deepEqual(await all(target.list('')), sorted)
      assert.deepEqual(
        await all(target.list('s/')),
        sorted.filter((one) => one.startsWith('s/')),
      )
      assert.deepEqual(await all(target.list('s/', 's/2')), ['s/3=3', 's/4=3', 's/5=3', 's/a/b=5'])
      assert.deepEqual(await all(target.list('s/1')), ['s/1=3', 's/10=4'])
      assert.deepEqual(await all(target.list('u')), [])
    })

    test('removes an object, also one that is gone', async (t) => {
      const target = (await make(t)).open()
      await target.put('a/b/1', bytes('x'))
      await target.remove('a/b/1')
      await target.remove('a/b/1')
      assert.equal(await target.get('a/b/1'), null)
      assert.deepEqual(await all(target.list('a')), [])
      assert.equal(await target.putNew('a/b/1', bytes('y')), 'stored')
    })

    test('keeps 8 MiB as they are', async (t) => {
      const target = (await make(t)).open()
      const body = crypto.getRandomValues(new Uint8Array(65_536))
      const large = Buffer.concat(Array.from({ length: 128 }, () => body))
      await target.put('parts/1', large)
      assert.deepEqual(Buffer.from((await target.get('parts/1')) ?? []), large)
    })

    test('a call whose signal is aborted rejects with its reason', async (t) => {
      const target = (await make(t)).open()
      const reason = new Error('the service ends')
      await assert.rejects(target.putNew('a', bytes('x'), AbortSignal.abort(reason)), reason)
      await assert.rejects(target.get('a', AbortSignal.abort(reason)), reason)
      await assert.rejects(all(target.list('', undefined, AbortSignal.abort(reason))), reason)
    })
  })
}
