import { execFile, execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Cleanup, makeTempDir } from '../temp.ts'
import type { Certificate } from './postgres.ts'

const run = promisify(execFile)

/** Why tests that need certificates are skipped; false when they run. */
export const noOpenssl: string | false = hasOpenssl() ? false : 'no openssl is installed on this machine'

/** What `makeCertificate` makes, as text. */
export interface Certificates extends Certificate {
  readonly authority: string
  /** With it the authority is a certificate that signed itself. */
  readonly authorityKey: string
  /** Of a user. */
  readonly client: Certificate
}

/** An authority, and what it signed: a certificate for `localhost`, and one for the user `user`. */
export async function makeCertificate(t: Cleanup, user = 'holdfast'): Promise<Certificates> {
  const dir = await makeTempDir(t, 'certificate')
  const openssl = (...args: readonly string[]) => run('openssl', args, { cwd: dir })
  // An RSA key takes a third of a second to find; these take none.
  const fresh = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch']
  await openssl(...fresh, '-x509', '-days', '2', '-subj', '/CN=Test Authority', '-keyout', 'ca.key', '-out', 'ca.crt')
  await openssl(...fresh, '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
  await writeFile(join(dir, 'names'), 'subjectAltName=DNS:localhost')
  const sign = ['x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial']
  await openssl(...sign, '-days', '2', '-extfile', 'names', '-out', 'server.crt')
  await openssl(...fresh, '-subj', `/CN=${user}`, '-keyout', 'client.key', '-out', 'client.csr')
  await openssl(
    'x509',
    '-req',
    '-in',
    'client.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-days',
    '2',
    '-out',
    'client.crt',
  )
  const read = (name: string) => readFile(join(dir, name), 'utf8')
  return {
    certificate: await read('server.crt'),
    key: await read('server.key'),
    authority: await read('ca.crt'),
    authorityKey: await read('ca.key'),
    client: { certificate: await read('client.crt'), key: await read('client.key') },
  }
}

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
