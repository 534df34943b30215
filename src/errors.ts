/**
 * The catalogue of HTTP errors, and the one error class that carries them.
 *
 * A client sees `code`, `title`, `detail` and `hint`, never a driver's own message: that stays in `cause`, for the log.
 * Problems with settings are not errors; see `config/problem.ts`.
 */

/** One row of the catalogue: the defaults of an error. */
export interface ErrorEntry {
  /** HTTP status. */
  readonly status: number
  /** One sentence: what is wrong. */
  readonly title: string
  /** One sentence: what to do. */
  readonly hint: string
}

/** Every code with its status, sentence and hint. Documentation and tests are made from it. */
export const errorCatalogue = {
  JSON_INVALID: {
    status: 400,
    title: 'The body is not valid JSON.',
    hint: 'Send one JSON object, for example {"rating": 5}.',
  },
  ENCODING_INVALID: {
    status: 400,
    title: 'The request is not valid UTF-8.',
    hint: 'Encode the URL and the body as UTF-8.',
  },
  CURSOR_INVALID: {
    status: 400,
    title: 'The cursor is not valid.',
    hint: 'Send "next" of the previous page unchanged, or omit the cursor to start at the first page.',
  },
  QUERY_INVALID: {
    status: 400,
    title: 'A query parameter is unknown or has an invalid value.',
    hint: '"detail" names the parameter and the values it accepts.',
  },
  QUERY_TOO_COMPLEX: {
    status: 400,
    title: 'The query asks for more than one request may.',
    hint: '"detail" names the limit. Split the query, or send fewer conditions or values.',
  },
  QUERY_UNINDEXED: {
    status: 400,
    title: 'No index serves this sort.',
    hint: 'Add the index that "detail" shows to the collection file, or sort by fields that have one.',
  },
  KEY_INVALID: {
    status: 400,
    title: 'The Idempotency-Key is not valid.',
    hint: 'Send 16 to 255 visible ASCII characters, a new key for each operation, such as a UUID.',
  },
  REQUEST_INVALID: {
    status: 400,
    title: 'The request is malformed.',
    hint: 'Send a valid HTTP/1.1 request.',
  },
  TOKEN_MISSING: {
    status: 401,
    title: 'This request needs a token.',
    hint: 'Send "Authorization: Bearer <token>". If a proxy uses that header, send "Holdfast-Token: <token>".',
  },
  TOKEN_INVALID: {
    status: 401,
    title: 'The token is not valid.',
    hint: 'Send a token that API_TOKENS has and that has not expired, a signed token of the configured issuer, or the admin token.',
  },
  SCOPE_MISSING: {
    status: 403,
    title: 'The token does not have the scope for this operation.',
    hint: 'Add the scope that "detail" names to the token in API_TOKENS, or use another token.',
  },
  ACCESS_DENIED: {
    status: 403,
    title: 'This caller may not perform this operation.',
    hint: 'The "access" of the collection names who may.',
  },
  RULE_REFUSED: {
    status: 403,
    title: 'The access rules do not allow this change. Nothing was written.',
    hint: 'Change the row so that the rule in "access" holds for it before and after the change.',
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    title: 'Nothing is served at this path.',
    hint: 'GET / lists what this service offers.',
  },
  COLLECTION_NOT_FOUND: {
    status: 404,
    title: 'No collection has this name.',
    hint: 'GET / lists the collections. A collection is one JSON file in the collections folder.',
  },
  ROW_NOT_FOUND: {
    status: 404,
    title: 'No row has this id.',
    hint: 'Use the "id" of a row that was created or listed.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'This path does not support this method.',
    hint: 'The Allow header lists the methods it supports.',
  },
  FORMAT_NOT_ACCEPTABLE: {
    status: 406,
    title: 'This resource is not available in the requested format.',
    hint: 'Send an Accept header with one of the formats that "detail" names.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request did not arrive in time.',
    hint: 'Send it faster, or raise HTTP_REQUEST_TIMEOUT.',
  },
  CONFLICT: {
    status: 409,
    title: 'The row conflicts with an existing row.',
    hint: 'Another row has the same value for a unique key. Change the value, or update that row.',
  },
  REFERENCE_MISSING: {
    status: 409,
    title: 'A field refers to a row that does not exist. Nothing was written.',
    hint: '"errors" names the field. Create the other row first, or send the id of an existing one.',
  },
  REFERENCED: {
    status: 409,
    title: 'Other rows refer to this row, so it cannot be deleted.',
    hint: 'Delete or change the rows of the collection that "detail" names first.',
  },
  TOO_MANY: {
    status: 409,
    title: 'More rows match than the request allows. Nothing was written.',
    hint: 'Raise "max" (at most 1,000), or add conditions.',
  },
  KEY_IN_USE: {
    status: 409,
    title: 'A request with this Idempotency-Key is still in progress.',
    hint: 'Send the request again after the number of seconds in Retry-After.',
  },
  WRITE_DISCARDED: {
    status: 409,
    title: 'The database discarded the change. Nothing was written.',
    hint: 'A trigger or rule of the table skips this row. Change the row, or have the trigger raise an error that says why.',
  },
  PRECONDITION_FAILED: {
    status: 412,
    title: 'The row has changed since you read it.',
    hint: 'GET the row again and send its ETag in If-Match.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'The request body is too large.',
    hint: 'Send a smaller body, or raise HTTP_BODY_LIMIT.',
  },
  URL_TOO_LONG: {
    status: 414,
    title: 'The URL is too long.',
    hint: 'Shorten the query string.',
  },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    title: 'Unsupported content type.',
    hint: 'Send uncompressed JSON with "Content-Type: application/json".',
  },
  ROW_INVALID: {
    status: 422,
    title: 'The row is not valid for this collection.',
    hint: '"errors" names each invalid field by JSON pointer, with the values it accepts.',
  },
  KEY_REUSED: {
    status: 422,
    title: 'The Idempotency-Key was used for a different request.',
    hint: 'Draw a new key for each operation, and repeat a request unchanged.',
  },
  AGGREGATE_TOO_LARGE: {
    status: 422,
    title: 'The aggregate would read too many rows.',
    hint: 'Add conditions that fewer rows match. A result of a part of them would be wrong.',
  },
  SUM_INEXACT: {
    status: 422,
    title: 'The sum is beyond what a JSON number holds exactly.',
    hint: 'Add conditions, or declare the field as text with "format": "int64" or "decimal".',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests.',
    hint: 'Wait the number of seconds in Retry-After. Requests with the admin token are not limited.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The request headers are too large.',
    hint: 'Send fewer or shorter headers, or raise HTTP_HEADER_LIMIT.',
  },
  INTERNAL_ERROR: {
    status: 500,
    title: 'The service failed to answer this request.',
    hint: 'The log has the cause under the "requestId" of this answer.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'No database is reachable at the moment.',
    hint: 'Try again after the number of seconds in Retry-After. GET /health reports the state of the service.',
  },
  INCOMPLETE: {
    status: 503,
    title: 'The fallback serves and cannot know this: the primary, which is not available, may have other rows.',
    hint: 'Send the request again when the primary is back. GET /health reports the state of the service.',
  },
  REPLAYING: {
    status: 503,
    title: 'This row was changed during an outage, and the change is still on its way to the primary.',
    hint: 'Send the request again after the number of seconds in Retry-After.',
  },
  COLLECTION_UNAVAILABLE: {
    status: 503,
    title: "The collection's table is missing or does not match its declaration.",
    hint: 'GET /status, with the admin token, has the SQL that fixes it. The fix takes effect within seconds.',
  },
  PLAN_NEEDED: {
    status: 503,
    title: 'The table needs a change that someone must make by hand. Until then the collection is read-only.',
    hint: 'GET /status, with the admin token, has the SQL. Writes work again within seconds after it ran.',
  },
  KEYS_UNAVAILABLE: {
    status: 503,
    title: 'The database has no table for requests with an Idempotency-Key.',
    hint: 'GET /status, with the admin token, says what it lacks. Without the header the request is carried out.',
  },
  AUTH_UNAVAILABLE: {
    status: 503,
    title: 'The keys that verify signed tokens have never been reached.',
    hint: 'Send the request again after the number of seconds in Retry-After. Requests without a signed token are not affected.',
  },
  STORE_LOST: {
    status: 503,
    title: 'The database connection was lost before the change was committed. Nothing was written.',
    hint: 'Send the request again.',
  },
  STORE_BUSY: {
    status: 503,
    title: 'The database was busy with other writes.',
    hint: 'Send the request again. Long transactions block other writes.',
  },
  QUERY_TIMEOUT: {
    status: 503,
    title: 'The database did not answer within the time limit.',
    hint: 'Send the request again, or raise QUERY_TIMEOUT.',
  },
  COMMIT_UNKNOWN: {
    status: 503,
    title: 'The database connection was lost during the commit. The change was applied once or not at all.',
    hint: 'Read the current data before you write again.',
  },
  DURABILITY_UNMET: {
    status: 503,
    title: 'The requested durability is not available at the moment. Nothing was written.',
    hint: 'Try again later, or request less with "Prefer: durability=...".',
  },
  ARCHIVE_UNCONFIRMED: {
    status: 503,
    title: 'The change is committed, but the archive has not confirmed it in time.',
    hint: 'The change is kept, and goes to the archive when that is possible. Read the data before you write again.',
  },
  RESTORING: {
    status: 503,
    title: 'The rows are being restored from the archive.',
    hint: 'Send the request again after the number of seconds in Retry-After. GET /health shows the progress.',
  },
  ARCHIVE_REQUIRED: {
    status: 503,
    title: 'The archive could not be reached, and ARCHIVE_REQUIRED forbids to start without it.',
    hint: 'The archive is tried again. GET /status, with the admin token, reports why it was not reached.',
  },
  STORE_READ_ONLY: {
    status: 503,
    title: 'The database does not accept writes at the moment.',
    hint: 'Reads still work. GET /status, with the admin token, reports why.',
  },
  OVERLOADED: {
    status: 503,
    title: 'Too many requests are in progress.',
    hint: 'Try again after the number of seconds in Retry-After.',
  },
  CLOSING: {
    status: 503,
    title: 'The service is shutting down.',
    hint: 'Send the request again. The next process answers it.',
  },
  COLLECTION_FULL: {
    status: 507,
    title: 'The collection has reached its row limit.',
    hint: 'Delete rows, or raise "maxRows" in the collection file.',
  },
  JOURNAL_FULL: {
    status: 507,
    title: 'The journal of the fallback has reached its limit. Nothing was written.',
    hint: 'Writes resume when the primary is back, or raise JOURNAL_MAX_BYTES.',
  },
  DISK_FULL: {
    status: 507,
    title: 'The disk of the database is full. Nothing was written.',
    hint: 'Free space under DATA_DIR. Writes resume without a restart.',
  },
} as const

/** The code of an error response. Subject first, then what is wrong. */
export type ErrorCode = keyof typeof errorCatalogue

/** An invalid field of a request body. */
export interface FieldError {
  /** JSON pointer into the body; `''` is the body itself. */
  readonly pointer: string
  /** One sentence: what the field accepts. */
  readonly message: string
}

/** What one occurrence of an error adds to the catalogue. */
export interface ErrorDetails {
  /** One sentence about this occurrence. Sent to the client: no secret, no driver's message, no path of the machine. */
  readonly detail?: string
  /** Replaces the catalogue's hint. */
  readonly hint?: string
  /** Seconds for `Retry-After`. */
  readonly retryAfterS?: number
  /** The invalid fields (422). */
  readonly errors?: readonly FieldError[]
  /** Which operation of a batch failed, from 0. */
  readonly operation?: number
  /** The underlying error; logged, never sent. */
  readonly cause?: unknown
}

/** An error of the catalogue: the only one whose text reaches a client. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode
  readonly status: number
  readonly title: string
  readonly detail: string | undefined
  readonly hint: string
  readonly retryAfterS: number | undefined
  readonly errors: readonly FieldError[] | undefined
  readonly operation: number | undefined

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const entry: ErrorEntry = errorCatalogue[code]
    super(`${code}: ${details.detail ?? entry.title}`, details.cause === undefined ? {} : { cause: details.cause })
    this.code = code
    this.status = entry.status
    this.title = entry.title
    this.detail = details.detail
    this.hint = details.hint ?? entry.hint
    this.retryAfterS = details.retryAfterS
    this.errors = details.errors
    this.operation = details.operation
  }
}
