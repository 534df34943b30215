import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import { type Problem, readPem, type Secret } from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlTarget, Tls, TlsMode } from './target.ts'

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
    readPem('sslrootcert', ca, 'POSTGRESQL_TLS_FILE'),
    readPem('sslcert', tls.certificate?.reveal() ?? null, 'POSTGRESQL_TLS_FILE'),
    readPem('sslkey', tls.key?.reveal() ?? null, 'POSTGRESQL_TLS_FILE'),
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
      await readPem(part, given, 'POSTGRESQL_TLS_FILE')
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
