import assert from 'node:assert/strict'
import { test } from 'node:test'
import { archiveCredentials, readArchiveConfig } from '../../../src/archive/target/config.ts'
import { readArchiveUrl } from '../../../src/archive/target/url.ts'
import { readLayers } from '../../../src/config/layers.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import fc from '../../support/property.ts'
import { makeTempDir, writeFiles } from '../../support/temp.ts'

const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

/** Text, the place as `bucket prefix endpoint region`, or the path. */
const usable: readonly (readonly [string, string])[] = [
  ['s3://rows/archive?endpoint=https://s3.hf.co/team&region=us-east-1', 'rows archive https://s3.hf.co/team us-east-1'],
  ['s3://rows?endpoint=https://s3.hf.co/team/', 'rows  https://s3.hf.co/team us-east-1'],
  ['s3://rows/a/b/?endpoint=http://minio:9000', 'rows a/b http://minio:9000 us-east-1'],
  ['s3://rows?endpoint=https%3A%2F%2Fs3.hf.co%2Fteam', 'rows  https://s3.hf.co/team us-east-1'],
  ['S3://rows?Endpoint=https://s3.hf.co/team&Region=eu-1', 'rows  https://s3.hf.co/team eu-1'],
  ['s3://rows/x', 'rows x https://s3.us-east-1.amazonaws.com us-east-1'],
  ['s3://rows/x?region=eu-central-1', 'rows x https://s3.eu-central-1.amazonaws.com eu-central-1'],
  ['s3://rows?region=cn-north-1', 'rows  https://s3.cn-north-1.amazonaws.com.cn cn-north-1'],
  ['s3://rows?endpoint=https://s3.eu-west-1.amazonaws.com', 'rows  https://s3.eu-west-1.amazonaws.com eu-west-1'],
  [
    's3://rows?endpoint=https://s3.us-west-004.backblazeb2.com',
    'rows  https://s3.us-west-004.backblazeb2.com us-west-004',
  ],
  ['s3://rows?endpoint=https://x.r2.cloudflarestorage.com', 'rows  https://x.r2.cloudflarestorage.com auto'],
  ['file:///mnt/archive', '/mnt/archive'],
  ['file:///mnt/archive/', '/mnt/archive'],
  ['file:/mnt/archive', '/mnt/archive'],
  ['file://localhost/mnt/archive', '/mnt/archive'],
  ['file:///mnt/my%20archive', '/mnt/my archive'],
  ['/mnt/archive', '/mnt/archive'],
]

for (const [text, expected] of usable) {
  test(`reads ${text}`, () => {
    const { place } = readArchiveUrl(text)
    assert.ok(place)
    if (place.kind === 'folder') assert.equal(place.path, expected)
    else {
      const { bucket, prefix, endpoint, region } = place.address
      assert.equal([bucket, prefix, endpoint, region].join(' '), expected)
    }
  })
}

/** Text, the part, and what the suggestion contains. */
const unusable: readonly (readonly [string, string | null, string])[] = [
  ['s3:rows/archive', 'scheme', 's3://rows/archive?endpoint='],
  ['s3:/rows/archive?region=x', 'scheme', 's3://rows/archive?endpoint='],
  ['s3://', 'scheme', 's3://bucket/prefix?endpoint='],
  ['s3:///archive', 'bucket', 's3://archive?endpoint='],
  ['s3://minio:9000/rows', 'bucket', 's3://bucket/prefix?endpoint='],
  ['s3://my bucket/x', 'bucket', 's3://bucket/prefix?endpoint='],
  ['s3://rows/a+b/c d?region=x', 'prefix', 's3://rows/a-b/c-d'],
  ['s3://rows/a//b', 'prefix', 's3://rows/a/b'],
  ['s3://rows/a/../b', 'prefix', 's3://rows/a/b'],
  ['s3://rows/x#y', null, 's3://bucket/prefix?endpoint='],
  ['s3://rows?endpoint=s3.hf.co/team', 'endpoint', 's3://rows?endpoint=https://s3.hf.co/team'],
  ['s3://rows?endpoint=s3://s3.hf.co/team', 'endpoint', 'endpoint=https://s3.hf.co/team'],
  ['s3://rows?endpoint=https://s3.hf.co/team%3Fx=y', 'endpoint', 'endpoint=https://s3.hf.co/team'],
  [
    's3://rows/x?endpoint=https://rows.s3.eu-west-1.amazonaws.com',
    'endpoint',
    's3://rows/x?endpoint=https://s3.eu-west-1.amazonaws.com',
  ],
  ['s3://rows?endpoint=https://a&endpoint=https://b', 'endpoint', 'Remove one'],
  ['s3://rows?region=eu west', 'region', 'region=us-east-1'],
  ['https://s3.hf.co/team/rows/archive', 'scheme', 's3://rows/archive?endpoint=https://s3.hf.co/team&region=us-east-1'],
  ['https://huggingface.co/buckets/team/rows', 'scheme', 's3://rows?endpoint=https://s3.hf.co/team&region=us-east-1'],
  ['hf://buckets/team/rows/archive', 'scheme', 's3://rows/archive?endpoint=https://s3.hf.co/team&region=us-east-1'],
  ['https://rows.s3.eu-west-1.amazonaws.com/a', 'scheme', 's3://rows/a?region=eu-west-1'],
  ['http://minio:9000/rows/a', 'scheme', 's3://rows/a?endpoint=http://minio:9000&region=us-east-1'],
  ['gs://rows/a', 'scheme', 's3://rows/a?endpoint=https://storage.googleapis.com'],
  ['azblob://rows', 'scheme', 's3://bucket/prefix?endpoint='],
  ['rows/archive', 'scheme', 'file:///folder'],
  ['./archive', 'path', 'file:///folder'],
  ['~/archive', 'path', 'file:///folder'],
  ['file://mnt/archive', 'path', 'file:///mnt/archive'],
  ['file:mnt/archive', 'path', 'file:///mnt/archive'],
  ['file:///', 'path', 'file:///folder'],
  ['file:///a?mode=rw', 'path', 'file:///folder'],
  ['file:///a/../b', 'path', 'file:///folder'],
  [`s3://AKIAEXAMPLE:${secret}@rows/archive`, 'user', 's3://rows/archive?endpoint='],
  [`s3://AKIAEXAMPLE:${secret}@rows/archive?region=x`, 'user', 's3://rows/archive?endpoint='],
  [`s3://rows?endpoint=https://AKIAEXAMPLE:${secret}@s3.hf.co`, 'user', 's3://bucket/prefix?endpoint='],
]

for (const [text, part, suggestion] of unusable) {
  test(`refuses ${text.replace(secret, '<secret>')} with the corrected form`, () => {
    const reading = readArchiveUrl(text)
    assert.ok(reading.place === null)
    assert.equal(reading.fault.part, part)
    assert.ok(reading.fault.suggestion.includes(suggestion), reading.fault.suggestion)
    assert.match(reading.fault.message, /^ARCHIVE_URL.*\.$/)
    for (let at = 0; at + 8 <= secret.length; at += 1) {
      const run = secret.slice(at, at + 8)
      assert.ok(!JSON.stringify(reading.fault).includes(run), `${run} in ${reading.fault.suggestion}`)
    }
  })
}

test('a parameter that is unknown is named and ignored, and its value is never shown', () => {
  const reading = readArchiveUrl(`s3://rows?region=x&regoin=eu&secret_access_key=${secret}&${secret}`)
  assert.ok(reading.place)
  assert.equal(reading.notes.length, 3)
  assert.match(reading.notes[0]?.suggestion ?? '', /Write region=/)
  assert.match(reading.notes[1]?.suggestion ?? '', /ARCHIVE_SECRET_ACCESS_KEY/)
  assert.ok(!JSON.stringify(reading.notes).includes(secret.slice(0, 8)))
})

test('any text is read or refused, within a moment, and never thrown at', () => {
  const parts = fc.constantFrom(
    's3:',
    '//',
    '/',
    'file:',
    '?',
    '&',
    '=',
    '@',
    '#',
    'endpoint',
    'https:',
    'a',
    '%',
    '.',
    ' ',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(parts, fc.string()), { maxLength: 12 }), (words) => {
      const reading = readArchiveUrl(words.join(''))
      assert.ok(reading.place !== null || reading.fault.suggestion !== '')
    }),
  )
})

async function resolvedOf(env: Readonly<Record<string, string>>, cwd = '/nonexistent') {
  return resolveSettings(await readLayers({ env, cwd }))
}

const url = 's3://rows/archive?endpoint=https://s3.hf.co/team'
const codes = (problems: readonly { readonly code: string; readonly severity: string }[]): string[] =>
  problems.map(({ code, severity }) => `${severity} ${code}`)

test('no archive is declared by nothing, and by the words for nothing', async () => {
  for (const env of [{}, { ARCHIVE_URL: ' ' }, { ARCHIVE_URL: 'none' }, { ARCHIVE_URL: '""' }]) {
    assert.deepEqual(readArchiveConfig(await resolvedOf(env)), { place: null, problems: [] })
  }
})

test('what was pasted around the address is removed, and said', async () => {
  const { place, problems } = readArchiveConfig(await resolvedOf({ ARCHIVE_URL: ' "ARCHIVE_URL=file:///mnt/a" ' }))
  assert.deepEqual(place, { kind: 'folder', path: '/mnt/a' })
  assert.ok(problems.length > 0 && problems.every(({ code }) => code === 'ARCHIVE_URL_REPAIRED'))
})

test('the key is that of ARCHIVE_ACCESS_KEY_ID, also from a file, without the end of its line', async (t) => {
  const dir = await makeTempDir(t, 'key')
  await writeFiles(dir, { secret: `${secret}\n` })
  const env = { ARCHIVE_URL: url, ARCHIVE_ACCESS_KEY_ID: 'own', ARCHIVE_SECRET_ACCESS_KEY_FILE: `${dir}/secret` }
  const resolved = await resolvedOf({
    ...env,
    AWS_ACCESS_KEY_ID: 'aws',
    AWS_SECRET_ACCESS_KEY: 'other',
    AWS_SESSION_TOKEN: 't',
  })
  const found = archiveCredentials(resolved.settings)
  assert.equal(found?.accessKeyId, 'own')
  assert.equal(found?.secretAccessKey.reveal(), secret)
  assert.equal(found?.sessionToken, null)
  assert.deepEqual(readArchiveConfig(resolved).problems, [])
})

test("AWS's own variables are used where there is no other key, and that is said", async () => {
  const resolved = await resolvedOf({
    ARCHIVE_URL: url,
    AWS_ACCESS_KEY_ID: 'aws',
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SESSION_TOKEN: 'token',
  })
  const found = archiveCredentials(resolved.settings)
  assert.equal(found?.accessKeyId, 'aws')
  assert.equal(found?.sessionToken?.reveal(), 'token')
  assert.deepEqual(codes(readArchiveConfig(resolved).problems), ['info ARCHIVE_KEY_FROM_AWS'])
})

test('half of a key is not completed with half of another one', async () => {
  const aws = { AWS_ACCESS_KEY_ID: 'aws', AWS_SECRET_ACCESS_KEY: secret }
  for (const own of [{ ARCHIVE_ACCESS_KEY_ID: 'own' }, { ARCHIVE_SECRET_ACCESS_KEY: 'own' }]) {
    const resolved = await resolvedOf({ ARCHIVE_URL: url, ...own, ...aws })
    assert.equal(archiveCredentials(resolved.settings), null)
    assert.deepEqual(codes(readArchiveConfig(resolved).problems), ['error ARCHIVE_KEY_MISSING'])
  }
})

test('a bucket without a key, and an address that cannot be used, are errors with the origin', async () => {
  const { place, problems } = readArchiveConfig(await resolvedOf({ ARCHIVE_URL: url }))
  assert.equal(place?.kind, 's3')
  assert.deepEqual(codes(problems), ['error ARCHIVE_KEY_MISSING'])
  const invalid = readArchiveConfig(await resolvedOf({ ARCHIVE_URL: 'gs://rows' }))
  assert.equal(invalid.place, null)
  assert.deepEqual(codes(invalid.problems), ['error ARCHIVE_URL_INVALID'])
  assert.deepEqual(invalid.problems[0]?.origin, { from: 'environment', name: 'ARCHIVE_URL' })
})
