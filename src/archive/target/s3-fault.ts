import { TargetError, type TargetFaultKind } from './target.ts'

/** What was asked of the store. */
export type S3Operation = 'store' | 'read' | 'list' | 'remove'

/** An answer that is not the one that was hoped for, without its body. */
export interface S3Refusal {
  readonly status: number
  /** The store's word for it: `AccessDenied`; null: it is no error of such a store. */
  readonly code: string | null
  readonly isHtml: boolean
  /** The region that the store named; null: none. */
  readonly region: string | null
  /** The clock of the store, when it answered; null: not given. */
  readonly date: Date | null
}

/** What the sentences are about. */
export interface S3Place {
  readonly bucket: string
  readonly endpoint: string
  readonly region: string
}

/** The sentences of an operation: what it does, and the right that it needs. */
const operations: Readonly<Record<S3Operation, { readonly does: string; readonly right: string }>> = {
  store: { does: 'store an object', right: 'write (s3:PutObject)' },
  read: { does: 'read an object', right: 'read (s3:GetObject)' },
  list: { does: 'list the objects', right: 'list (s3:ListBucket)' },
  remove: { does: 'remove an object', right: 'delete (s3:DeleteObject)' },
}

/** The words of a time limit and of messages: `store an object`. */
export function operationWords(operation: S3Operation): string {
  return operations[operation].does
}

type Judgement = readonly [TargetFaultKind, string]

/** The error for an answer. Pure; quotes nothing but the store's own code. */
export function refusalError(operation: S3Operation, refusal: S3Refusal, place: S3Place, nowMs: number): TargetError {
  const { status, code } = refusal
  const shown = code === null ? `HTTP ${status}` : `${code} (HTTP ${status})`
  const [kind, hint] = judged(operation, refusal, place, nowMs)
  const message = refusal.isHtml
    ? `The archive's endpoint answered with a web page when asked to ${operations[operation].does}: ${shown}.`
    : `The archive did not ${operations[operation].does}: ${shown}.`
  return new TargetError(kind, message, hint)
}

function judged(operation: S3Operation, refusal: S3Refusal, place: S3Place, nowMs: number): Judgement {
  const { status, code, isHtml } = refusal
  return (
    (code === null ? null : judgedCode(code, operation, refusal, place, nowMs)) ??
    (status >= 300 && status < 400 ? misdirected(refusal, place) : null) ??
    judgedStatus(status, isHtml, place)
  )
}

function judgedCode(
  code: string,
  operation: S3Operation,
  refusal: S3Refusal,
  place: S3Place,
  nowMs: number,
): Judgement | null {
  switch (code) {
    case 'InvalidAccessKeyId':
      return ['auth', 'The store does not know this access key: check ARCHIVE_ACCESS_KEY_ID.']
    case 'SignatureDoesNotMatch':
      return ['auth', 'The secret does not belong to the access key: check ARCHIVE_SECRET_ACCESS_KEY.']
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
      return ['auth', 'The session token has expired: use an access key that does not expire.']
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'AccountProblem':
      return ['auth', `Give the access key the right to ${operations[operation].right} in bucket "${place.bucket}".`]
    case 'RequestTimeTooSkewed':
      return ['clock', skewHint(refusal.date, nowMs)]
    case 'NoSuchBucket':
    case 'InvalidBucketName':
      return ['missing', `There is no bucket "${place.bucket}" at ${place.endpoint}: create it, or fix ARCHIVE_URL.`]
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'IllegalLocationConstraintException':
      return misdirected(refusal, place)
    case 'QuotaExceeded':
    case 'ServiceQuotaExceeded':
    case 'XMinioStorageFull':
    case 'InsufficientStorage':
      return ['full', 'The store has no room left: free space in the bucket, or raise its quota.']
    case 'SlowDown':
    case 'TooManyRequests':
    case 'ConditionalRequestConflict':
    case 'OperationAborted':
    case 'RequestTimeout':
      return ['busy', 'The store asks for fewer requests. Holdfast tries again; raise ARCHIVE_INTERVAL if it goes on.']
    default:
      return null
  }
}

function judgedStatus(status: number, isHtml: boolean, { endpoint, bucket }: S3Place): Judgement {
  if (status === 429 || status >= 500) {
    if (status === 507) return ['full', 'The store has no room left: free space in the bucket, or raise its quota.']
    if (status === 501)
      return ['odd', `The store at ${endpoint} does not know this operation: use an S3-compatible one.`]
    return ['busy', 'The store, or a proxy before it, has a fault of its own. Holdfast tries again.']
  }
  if (status === 413) return ['odd', 'A proxy before the store limits the size of bodies: let it accept 9 MiB.']
  if (isHtml)
    return ['odd', `Something other than an S3-compatible store answers at ${endpoint}: a proxy, or a login page.`]
  if (status === 401 || status === 403) {
    return ['auth', `Check the access key and its rights in bucket "${bucket}".`]
  }
  return ['odd', `Check that the endpoint in ARCHIVE_URL, ${endpoint}, is that of an S3-compatible store.`]
}

function misdirected({ region }: S3Refusal, place: S3Place): Judgement {
  if (region !== null && region !== place.region) {
    return ['odd', `The bucket is in region ${region}: set region=${region} in ARCHIVE_URL.`]
  }
  return ['odd', `The bucket "${place.bucket}" is not at ${place.endpoint}: fix endpoint and region in ARCHIVE_URL.`]
}

/** How far apart the clocks are: nobody sees that from "skewed". */
function skewHint(date: Date | null, nowMs: number): string {
  if (date === null) return 'Set the clock of this machine.'
  const seconds = Math.round((nowMs - date.getTime()) / 1_000)
  const far = Math.abs(seconds) >= 120 ? `${Math.round(Math.abs(seconds) / 60)} minutes` : `${Math.abs(seconds)} s`
  return `The clock of this machine is ${far} ${seconds > 0 ? 'ahead of' : 'behind'} the store's: set it.`
}

const connectionHints: readonly (readonly [RegExp, string])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'The name cannot be resolved: check the endpoint in ARCHIVE_URL, and DNS.'],
  [/^ECONNREFUSED$/, 'Nothing listens there: check the port of the endpoint in ARCHIVE_URL.'],
  [/^(?:ERR_SSL|EPROTO)/, 'The endpoint does not speak TLS at this port: check http and https in ARCHIVE_URL.'],
  [/CERT|SELF_SIGNED|ALTNAME|VERIFY/, 'Its certificate is not accepted: name its authority in NODE_EXTRA_CA_CERTS.'],
]

/** The error for a request that got no answer, or only a part of one. */
export function connectionError(operation: S3Operation, error: unknown, { endpoint }: S3Place): TargetError {
  const code = connectionCode(error)
  const hint = connectionHints.find(([pattern]) => code !== null && pattern.test(code))?.[1]
  return new TargetError(
    'unreachable',
    `The connection to ${endpoint} failed${code === null ? '' : ` (${code})`} while asked to ${operationWords(operation)}.`,
    hint ?? 'Check the network between this machine and the archive.',
    error,
  )
}

/** `fetch` hides the reason in the cause, and that of several addresses in a list. */
function connectionCode(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined)
  }
  return null
}
