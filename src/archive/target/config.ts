import { createProblem, type Problem, type Severity } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import type { ResolvedSettings, Settings } from '../../config/settings.ts'
import { cleanAddress, isBlank } from '../../database/address/clean.ts'
import type { archiveProblems } from '../problems.ts'
import type { AttemptTools } from './attempts.ts'
import { FolderTarget } from './folder.ts'
import type { ArchiveUrlFault } from './foreign-url.ts'
import { S3Target } from './s3.ts'
import type { S3Credentials } from './s3-client.ts'
import type { ArchiveTarget } from './target.ts'
import { type ArchivePlace, readArchiveUrl } from './url.ts'

/** The archive, as the settings declare it. */
export interface ArchiveConfig {
  /** Null: none is declared, or the declaration cannot be used. */
  readonly place: ArchivePlace | null
  readonly problems: readonly Problem[]
}

/** Reads the declaration. Pure; no problem holds a secret. */
export function readArchiveConfig(resolved: ResolvedSettings): ArchiveConfig {
  const { url } = resolved.settings.archive
  const given = url === null ? null : cleanAddress(url.reveal())
  if (given === null || isBlank(given)) return { place: null, problems: [] }
  const problem = (code: keyof typeof archiveProblems, severity: Severity, fault: ArchiveUrlFault): Problem =>
    createProblem(code, severity, 'archive.url', { origin: resolved.originOf('archive.url'), ...fault })
  const repairs = given.repairs.map(({ part, what, severity }) =>
    problem('ARCHIVE_URL_REPAIRED', severity, {
      part,
      message: `ARCHIVE_URL ${what}.`,
      suggestion: 'Give the address alone.',
    }),
  )
  const reading = readArchiveUrl(given.text)
  if (reading.place === null) {
    return { place: null, problems: [...repairs, problem('ARCHIVE_URL_INVALID', 'error', reading.fault)] }
  }
  const { place, notes } = reading
  const noted = notes.map((note) => problem('ARCHIVE_URL_REPAIRED', 'warning', note))
  const keys = place.kind === 's3' ? keyProblems(resolved) : []
  return { place, problems: [...repairs, ...noted, ...keys] }
}

/**
 * The key of the bucket: ARCHIVE_..., else AWS's own variables; null where one of the two is missing. Half of a key is never
 * completed from elsewhere.
 */
export function archiveCredentials({ archive }: Settings): S3Credentials | null {
  const isOwn = archive.accessKeyId !== null || archive.secretAccessKey !== null
  const accessKeyId = isOwn ? archive.accessKeyId : archive.awsAccessKeyId
  const secret = isOwn ? archive.secretAccessKey : archive.awsSecretAccessKey
  if (accessKeyId === null || secret === null) return null
  // The end of a line is often copied with a key.
  const secretAccessKey = new Secret(secret.reveal().trim())
  return { accessKeyId, secretAccessKey, sessionToken: isOwn ? null : archive.awsSessionToken }
}

/** The target of a place. `credentials` are read for each request. */
export function openTarget(
  place: ArchivePlace,
  credentials: () => S3Credentials | null,
  { clock, random }: AttemptTools,
): ArchiveTarget {
  if (place.kind === 'folder') return new FolderTarget({ path: place.path, clock, random })
  return new S3Target({ address: place.address, credentials, clock, random })
}

function keyProblems(resolved: ResolvedSettings): readonly Problem[] {
  const { archive } = resolved.settings
  const key = (
    code: keyof typeof archiveProblems,
    severity: Severity,
    setting: string,
    texts: readonly string[],
  ): Problem => {
    const [message = '', suggestion = ''] = texts
    return createProblem(code, severity, setting, { origin: resolved.originOf(setting), message, suggestion })
  }
  if (archive.accessKeyId !== null && archive.secretAccessKey !== null) return []
  if (archive.accessKeyId !== null || archive.secretAccessKey !== null) {
    const [given, missing, setting] =
      archive.accessKeyId === null
        ? ['ARCHIVE_SECRET_ACCESS_KEY', 'ARCHIVE_ACCESS_KEY_ID', 'archive.accessKeyId']
        : ['ARCHIVE_ACCESS_KEY_ID', 'ARCHIVE_SECRET_ACCESS_KEY', 'archive.secretAccessKey']
    const message = `${given} is set, and ${missing} is not: the bucket cannot be used.`
    return [key('ARCHIVE_KEY_MISSING', 'error', setting, [message, `Set ${missing}.`])]
  }
  if (archive.awsAccessKeyId !== null && archive.awsSecretAccessKey !== null) {
    const message = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY give the key of the archive.'
    const suggestion = 'Set ARCHIVE_ACCESS_KEY_ID and ARCHIVE_SECRET_ACCESS_KEY to use another one.'
    return [key('ARCHIVE_KEY_FROM_AWS', 'info', 'archive.awsAccessKeyId', [message, suggestion])]
  }
  const message = 'The bucket of the archive needs an access key, and none is set.'
  const suggestion = 'Set ARCHIVE_ACCESS_KEY_ID and ARCHIVE_SECRET_ACCESS_KEY (or ARCHIVE_SECRET_ACCESS_KEY_FILE).'
  return [key('ARCHIVE_KEY_MISSING', 'error', 'archive.accessKeyId', [message, suggestion])]
}
