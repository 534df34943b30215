import { readFile } from 'node:fs/promises'
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import { faultError, type Problem, type Secret } from '../../src/driver/driver.ts'
import type { PostgresqlTarget, Tls, TlsMode } from './target.ts'

/** More than any certificate or key has. */
const fileLimitBytes = 1_048_576

/** What pg takes for a connection with TLS. */
export type TlsOptions = Pick<ConnectionOptions, 'rejectUnauthorized' | 'checkServerIdentity' | 'ca' | 'cert' | 'key'>

/** The ways to connect in the order to try them: `prefer` begins with TLS, `allow` without. */
export function tlsOrder(mode: TlsMode): readonly boolean[] {
  if (mode === 'disable') return [false]
  if (mode === 'allow') return [false, true]
  return mode === 'prefer' ? [true, false] : [true]
}

/**
 * What TLS to this host is made with, by libpq's meaning: `require` encrypts and trusts whoever answers, unless a root
 * certificate is given; `verify-ca` checks who signed, `verify-full` the name, too.
 *
 * Without a root certificate, or with the word `system`, the authorities count that Node knows (NODE_EXTRA_CA_CERTS adds
 * to them); files in the home folder are not looked for. Each of those authorities signs for anybody, so the name is
 * then always checked: libpq itself refuses less than `verify-full` with `system`.
 *
 * @throws FaultError `tls` when a file cannot be read.
 */
export async function loadTls(tls: Tls, host: string): Promise<TlsOptions> {
  const ca = tls.rootCertificate === 'system' ? null : tls.rootCertificate
  const isVerified = tls.mode.startsWith('verify') || (tls.mode === 'require' && tls.rootCertificate !== null)
  const isNamed = tls.mode === 'verify-full' || ca === null
  const [root, certificate, key] = await Promise.all([
    textOf('sslrootcert', ca),
    textOf('sslcert', tls.certificate?.reveal() ?? null),
    textOf('sslkey', tls.key?.reveal() ?? null),
  ])
  const given = {
    ...(root === null ? {} : { ca: root }),
    ...(certificate === null ? {} : { cert: certificate }),
    ...(key === null ? {} : { key }),
  }
  if (!isVerified) return { ...given, rejectUnauthorized: false }
  return {
    ...given,
    rejectUnauthorized: true,
    // Node is given a socket and no host, and would compare the name with "localhost".
    checkServerIdentity: (_name, peer) => (isNamed ? checkServerIdentity(host, peer) : undefined),
  }
}

/** What only looking finds: files of the address that are not there. */
export async function tlsProblems({ encryption, setting, origin }: PostgresqlTarget): Promise<readonly Problem[]> {
  if (encryption.mode === 'disable') return []
  const root = encryption.rootCertificate === 'system' ? null : encryption.rootCertificate
  const files: readonly (readonly [string, string | null])[] = [
    ['sslrootcert', root],
    ['sslcert', revealed(encryption.certificate)],
    ['sslkey', revealed(encryption.key)],
  ]
  const problems: Problem[] = []
  for (const [part, given] of files) {
    try {
      await textOf(part, given)
    } catch {
      const message = `The file that ${part} names cannot be read.`
      const suggestion = `Name a readable file with PEM text in ${part}, or give the text itself in POSTGRESQL_${envOf(part)}.`
      problems.push({ code: 'POSTGRESQL_TLS_FILE', severity: 'error', setting, origin, part, message, suggestion })
    }
  }
  return problems
}

function envOf(part: string): string {
  return part === 'sslrootcert' ? 'SSL_ROOT_CERT' : part === 'sslcert' ? 'SSL_CERT' : 'SSL_KEY'
}

function revealed(secret: Secret | null): string | null {
  return secret?.reveal() ?? null
}

/** The PEM text itself, or the file that is named. */
async function textOf(part: string, given: string | null): Promise<string | null> {
  if (given === null) return null
  // Where a variable cannot hold lines, they are often written as "\n".
  if (given.trimStart().startsWith('-----BEGIN')) return given.replaceAll('\\n', '\n')
  try {
    const text = await readFile(given, 'utf8')
    if (text.length > fileLimitBytes) throw new Error('The file is larger than any certificate.')
    return text
  } catch (cause) {
    const summary = `The file that ${part} names cannot be read.`
    throw faultError('tls', 'POSTGRESQL_TLS_FILE', summary, 'Name a readable file with PEM text.', { cause })
  }
}
