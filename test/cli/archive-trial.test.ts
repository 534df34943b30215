import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { runCommand } from '../support/hosted.ts'
import { S3Server } from '../support/s3-server.ts'
import { makeTempDir } from '../support/temp.ts'

/** `holdfast check --connect`, as text and as JSON. */
async function checkArchive(t: TestContext, env: Readonly<Record<string, string>>, secret = 'no secret') {
  const cwd = await makeTempDir(t, 'trial')
  const run = (...more: readonly string[]) => runCommand(['check', '--connect', ...more], { cwd, env: { ...env } })
  const [{ stdout: text }, { code, stdout }] = await Promise.all([run(), run('--json')])
  assert.ok(!`${text}${stdout}`.includes(secret), 'the secret was printed')
  const report = JSON.parse(stdout)
  const codes: string[] = report.problems.map((problem: { code: string }) => problem.code)
  const steps: string[] = (report.connection.archive?.steps ?? []).map(
    (one: { step: string; outcome: string }) => `${one.step} ${one.outcome}`,
  )
  return { code, text: text.replace(/\s+/g, ' '), report, codes, steps }
}

const allHonoured = ['store honoured', 'put-if-absent honoured', 'read honoured', 'list honoured', 'remove honoured']

test('an S3 store that honours everything is said to, and nothing is left there', async (t) => {
  const server = await S3Server.start(t)
  const { code, text, report, codes, steps } = await checkArchive(t, server.env(), server.secretAccessKey)
  assert.equal(code, 0)
  assert.deepEqual(steps, allHonoured)
  assert.deepEqual(
    codes.filter((one) => one.startsWith('ARCHIVE')),
    [],
  )
  assert.equal(report.archive, 's3://rows/archive')
  assert.match(text, /archive s3:\/\/rows\/archive/)
  assert.match(text, /archive honours store, put if absent, read, list, delete \(\d+ ms\)/)
  assert.equal(server.objects.size, 0)
})

test('a folder is tried in the same way', async (t) => {
  const volume = await makeTempDir(t, 'volume')
  const path = join(volume, 'archive')
  await mkdir(path)
  const { code, steps, report } = await checkArchive(t, { ARCHIVE_URL: `file://${path}` })
  assert.equal(code, 0)
  assert.deepEqual(steps, allHonoured)
  assert.deepEqual(await readdir(path), ['.partial'])
  assert.ok(report.connection.advice.some((text: string) => text.includes('ephemeral disk')))
})

test('a store without put if absent, and one without deletes, are warnings', async (t) => {
  const open = await S3Server.start(t, { conditions: 'ignored' })
  const ignoring = await checkArchive(t, open.env())
  assert.equal(ignoring.code, 0)
  assert.ok(ignoring.steps.includes('put-if-absent ignored'))
  assert.ok(ignoring.codes.includes('ARCHIVE_NOT_FENCING'))
  assert.match(ignoring.text, /ignores put if absent/)
  const keeping = await S3Server.start(t, { mayDelete: false })
  const kept = await checkArchive(t, keeping.env())
  assert.equal(kept.code, 0)
  assert.ok(kept.steps.includes('remove failed'))
  assert.ok(kept.codes.includes('ARCHIVE_KEEPS_TOO_MUCH'))
  assert.match(kept.text, /delete auth: .* AccessDenied .* -> Give the access key the right to delete/)
})

test('a store that cannot be used is said with its fault and hint, and the command ends with 3', async (t) => {
  const server = await S3Server.start(t)
  const env = { ...server.env(), ARCHIVE_SECRET_ACCESS_KEY: 'another-secret' }
  const { code, text, codes, steps } = await checkArchive(t, env, 'another-secret')
  assert.equal(code, 3)
  assert.deepEqual(steps, ['store failed'])
  assert.ok(codes.includes('ARCHIVE_UNREACHABLE'))
  assert.match(text, /archive cannot be used store auth: .*SignatureDoesNotMatch/)
  assert.match(text, /check ARCHIVE_SECRET_ACCESS_KEY/)
})

test('a clock that differs by minutes is said before requests are refused', async (t) => {
  const server = await S3Server.start(t, { skewMs: -600_000 })
  const { code, text } = await checkArchive(t, server.env())
  assert.equal(code, 0)
  assert.match(text, /10 minutes ahead of the archive's/)
})

test('an address that cannot be used is not tried; the check without --connect says so, too', async (t) => {
  const { code, text, codes, report } = await checkArchive(t, { ARCHIVE_URL: 'gs://rows' })
  assert.equal(code, 2)
  assert.equal(report.connection.archive, null)
  assert.ok(codes.includes('ARCHIVE_URL_INVALID'))
  assert.match(text, /archive declared, but not usable: see below/)
  assert.match(text, /-> Write s3:\/\/rows\?endpoint=https:\/\/storage.googleapis.com/)
})
