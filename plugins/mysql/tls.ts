import { type Problem, readPem, type Secret } from '../../src/driver/kit/driver-kit.ts'
import type { MysqlTarget, Tls, TlsMode } from './target.ts'

/** What a connection with TLS is made with. */
export interface TlsOptions {
  /** Whether the certificate must be signed by an authority that is trusted. */
  readonly rejectUnauthorized: boolean
  /** The name that the certificate must be for; null: any. */
  readonly name: string | null
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** The ways to connect in the order to try them: `preferred` begins with TLS. */
export function tlsOrder(mode: TlsMode): readonly boolean[] {
  if (mode === 'disabled') return [false]
  return mode === 'preferred' ? [true, false] : [true]
}

/**
 * What TLS to this host is made with: `required` encrypts and trusts whoever answers, unless an authority is given;
 * `verify_ca` checks who signed, `verify_identity` the name, too.
 *
 * Without an authority, or with the word `system`, those count that Node knows (NODE_EXTRA_CA_CERTS adds to them). Each of
 * them signs for anybody, so the name is then always checked.
 *
 * @throws FaultError `tls` when a file cannot be read.
 */
export async function loadTls(tls: Tls, host: string): Promise<TlsOptions> {
  const isVerified = tls.mode.startsWith('verify') || (tls.mode === 'required' && tls.authority !== null)
  const isNamed = isVerified && (tls.mode === 'verify_identity' || authorityOf(tls) === null)
  const [ca, cert, key] = await Promise.all([
    readPem('ssl-ca', authorityOf(tls), 'MYSQL_TLS_FILE'),
    readPem('ssl-cert', revealed(tls.certificate), 'MYSQL_TLS_FILE'),
    readPem('ssl-key', revealed(tls.key), 'MYSQL_TLS_FILE'),
  ])
  return {
    rejectUnauthorized: isVerified,
    name: isNamed ? host : null,
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  }
}

/** What only looking finds: files of the address that are not there. */
export async function tlsProblems({ encryption, setting, origin }: MysqlTarget): Promise<readonly Problem[]> {
  if (encryption.mode === 'disabled') return []
  const files: readonly (readonly [string, string | null])[] = [
    ['ssl-ca', authorityOf(encryption)],
    ['ssl-cert', revealed(encryption.certificate)],
    ['ssl-key', revealed(encryption.key)],
  ]
  const problems: Problem[] = []
  for (const [part, given] of files) {
    try {
      await readPem(part, given, 'MYSQL_TLS_FILE')
    } catch {
      const message = `The file that ${part} names cannot be read.`
      const suggestion = `Name a readable file with PEM text in ${part}, or give the text itself in MYSQL_${part.toUpperCase().replace('-', '_')}.`
      problems.push({ code: 'MYSQL_TLS_FILE', severity: 'error', setting, origin, part, message, suggestion })
    }
  }
  return problems
}

/** The word `system` stands for the authorities that Node knows. */
function authorityOf({ authority }: Tls): string | null {
  return authority === 'system' ? null : authority
}

function revealed(secret: Secret | null): string | null {
  return secret?.reveal() ?? null
}
