import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readPem } from '../../../../src/driver/kit/address/tls-files.ts'
import { makeTempDir, writeFiles } from '../../../support/temp.ts'

const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

test('PEM is taken as text, with line ends as a variable holds them, or from a file', async (t) => {
  const dir = await makeTempDir(t, 'pem')
  await writeFiles(dir, { 'ca.crt': pem })
  assert.equal(await readPem('ca', pem), pem)
  assert.equal(await readPem('ca', pem.replaceAll('\n', '\\n')), pem)
  assert.equal(await readPem('ca', join(dir, 'ca.crt')), pem)
  assert.equal(await readPem('ca', null), null)
})

test('what cannot be read, holds no PEM text or has no end is a fault that names the part', async (t) => {
  const dir = await makeTempDir(t, 'pem')
  await writeFiles(dir, { large: 'x'.repeat(1024 * 1024 + 1), empty: '', text: 'a certificate' })
  execFileSync('mkfifo', [join(dir, 'pipe')])
  const endless = existsSync('/dev/zero') ? ['/dev/zero'] : []
  const files = ['large', 'nothing', 'empty', 'text', 'pipe'].map((name) => join(dir, name))
  for (const path of [...files, dir, ...endless]) {
    await assert.rejects(
      readPem('ca', path),
      ({ fault }: { fault: { kind: string; code: string; summary: string } }) => {
        assert.deepEqual([fault.kind, fault.code], ['tls', 'TLS_FILE_UNREADABLE'])
        assert.match(fault.summary, /The file that ca names cannot be read/)
        return true
      },
    )
  }
})
