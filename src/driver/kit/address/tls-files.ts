import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { checkServerIdentity, type PeerCertificate, type SecureVersion } from 'node:tls'
import { isPemText, readPemText } from '../../../config/pem.ts'
import { createProblem, type Problem } from '../../../config/problem.ts'
import { FaultError } from '../../fault.ts'
import { faultError } from '../read-error.ts'
import type { ServerTarget } from './dialect.ts'
import { filesOf, type Tls, type TlsDialect, type TlsMode } from './tls.ts'
import { tlsLimitOptions } from './tls-limits.ts'

/** Larger than any certificate or key. */
const fileLimitBytes = 1024 * 1024

/** The options of a TLS connection. */
export interface TlsMaterial {
  /** Whether a trusted authority must have signed the certificate. */
  readonly rejectUnauthorized: boolean
  /** The name that the certificate must be for; null: any. */
  readonly name: string | null
  /** For Node, which would compare the name with "localhost" where it is given a socket and no host. */
  readonly checkServerIdentity: (name: string, peer: PeerCertificate) => Error | undefined
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly minVersion?: SecureVersion
  readonly maxVersion?: SecureVersion
  readonly ciphers?: string
}

/** Whether each attempt is encrypted, in the order to try them: `prefer` begins with TLS, `allow` without. */
export function tlsOrder(mode: TlsMode): readonly boolean[] {
  if (mode === 'disable') return [false]
  if (mode === 'allow') return [false, true]
  return mode === 'prefer' ? [true, false] : [true]
}

/**
 * Reads the files for TLS to this host. `require` encrypts and trusts any server, unless an authority is given;
 * `verify-ca` checks who signed the certificate, `verify-full` its name, too.
 *
 * Without an authority, or with the word `system`, Node's own count (NODE_EXTRA_CA_CERTS adds to them). Those sign for
 * anybody, so the name is then always checked; libpq itself refuses less than `verify-full` with `system`.
 *
 * @throws FaultError of kind `tls` when a file cannot be read.
 */
export async function loadTls(dialect: TlsDialect, tls: Tls, host: string): Promise<TlsMaterial> {
  const isVerified = tls.mode.startsWith('verify') || (tls.mode === 'require' && tls.authority !== null)
  const isNamed = isVerified && (tls.mode === 'verify-full' || tls.authority === null || tls.authority === 'system')
  const [ca, cert, key] = await Promise.all(
    filesOf(dialect, tls).map(([{ parameter }, text]) => readPem(parameter, text)),
  )
  return {
    rejectUnauthorized: isVerified,
    name: isNamed ? host : null,
    checkServerIdentity: (_name, peer) => (isNamed ? checkServerIdentity(host, peer) : undefined),
    ...(ca == null ? {} : { ca }),
    ...(cert == null ? {} : { cert }),
    ...(key == null ? {} : { key }),
    ...tlsLimitOptions(tls.limits),
  }
}

/** The problems that only looking finds: files that cannot be read. */
export async function findTlsProblems(
  dialect: TlsDialect,
  { driver, encryption, setting, origin }: ServerTarget,
): Promise<readonly Problem[]> {
  if (encryption.mode === 'disable') return []
  const problems: Problem[] = []
  for (const [{ parameter: part, env }, text] of filesOf(dialect, encryption)) {
    try {
      await readPem(part, text)
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      const { summary: message } = error.fault
      const suggestion = `Name a readable PEM file in ${part}, or give the text itself in ${env}.`
      const words = { origin, part, message, suggestion }
      problems.push({ ...createProblem('TLS_FILE_UNREADABLE', 'error', setting, words), driver })
    }
  }
  return problems
}

/**
 * The PEM text that a setting or a parameter gives: itself, or that of the file which it names, of which no more is read
 * than any certificate has. Null for null.
 *
 * @throws FaultError TLS_FILE_UNREADABLE of kind `tls`, naming `part`.
 */
export async function readPem(part: string, given: string | null): Promise<string | null> {
  if (given === null) return null
  if (isPemText(given)) return readPemText(given)
  try {
    return await readBounded(given)
  } catch (cause) {
    const summary = `The file that ${part} names cannot be read.`
    throw faultError('tls', 'TLS_FILE_UNREADABLE', summary, 'Name a readable PEM file.', { cause })
  }
}

/** By portions: a device or a pipe does not report its size. */
async function readBounded(path: string): Promise<string> {
  // Opening a pipe would wait for its writer, in one of the few threads that every file and name needs.
  await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  const parts: Buffer[] = []
  let length = 0
  for await (const part of file.createReadStream({ autoClose: false })) {
    length += part.length
    if (length > fileLimitBytes) throw new Error('The file is larger than any certificate.')
    parts.push(part)
  }
  const text = Buffer.concat(parts).toString('utf8')
  // An empty authority would be none to Node, which then trusts its own.
  if (!isPemText(text)) throw new Error('The file holds no PEM text.')
  return text
}
