/**
 * The catalogue of everything that a request can be refused for, and the one error class that carries it.
 *
 * A caller sees `code`, `title`, `detail` and `hint`, never a driver's own message: those travel in `cause`, for the log.
 * A problem (something wrong with a setting) is not in here: see `config/problem.ts`.
 */

/** One row of the catalogue: what the caller is told when nothing more particular is known. */
export interface ErrorEntry {
  /** HTTP status. */
  readonly status: number
  /** One sentence: what is wrong. */
  readonly title: string
  /** One sentence: what to do about it. */
  readonly hint: string
}

/** The code of an answer that is not a success. */
export type ErrorCode =
  | 'BAD_JSON'
  | 'BAD_ENCODING'
  | 'BAD_CURSOR'
  | 'BAD_QUERY'
  | 'BAD_REQUEST'
  | 'TOKEN_REQUIRED'
  | 'TOKEN_WRONG'
  | 'ROUTE_UNKNOWN'
  | 'COLLECTION_UNKNOWN'
  | 'ROW_UNKNOWN'
  | 'METHOD_UNKNOWN'
  | 'REQUEST_TIMEOUT'
  | 'CONFLICT'
  | 'VERSION_MISMATCH'
  | 'BODY_TOO_LARGE'
  | 'URL_TOO_LONG'
  | 'CONTENT_TYPE_UNSUPPORTED'
  | 'ROW_INVALID'
  | 'RATE_LIMITED'
  | 'HEADERS_TOO_LARGE'
  | 'INTERNAL'
  | 'STORE_UNAVAILABLE'
  | 'COLLECTION_UNAVAILABLE'
  | 'STORE_LOST'
  | 'STORE_BUSY'
  | 'QUERY_TIMEOUT'
  | 'COMMIT_UNKNOWN'
  | 'DURABILITY_UNMET'
  | 'READ_ONLY'
  | 'OVERLOADED'
  | 'CLOSING'
  | 'COLLECTION_FULL'
  | 'DISK_FULL'

/** Every code with its status, sentence and hint; documentation and tests read it. */
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorEntry>> = {
  BAD_JSON: {
    status: 400,
    title: 'The body is not valid JSON.',
    hint: 'Send one JSON object, for example {"rating": 5}.',
  },
  BAD_ENCODING: {
    status: 400,
    title: 'The body or the address is not valid UTF-8.',
    hint: 'Encode the request as UTF-8 without invalid bytes.',
  },
  BAD_CURSOR: {
    status: 400,
    title: 'The cursor is not one that this list has given.',
    hint: 'Take "next" of the previous page unchanged, or leave the cursor out to begin again.',
  },
  BAD_QUERY: {
    status: 400,
    title: 'A query parameter is unknown or has a wrong value.',
    hint: 'The detail names the parameter and what it takes.',
  },
  BAD_REQUEST: {
    status: 400,
    title: 'The request is malformed.',
    hint: 'Send a valid HTTP/1.1 request.',
  },
  TOKEN_REQUIRED: {
    status: 401,
    title: 'This needs the admin token.',
    hint: 'Send "Authorization: Bearer <ADMIN_TOKEN>" or, where a proxy uses that header itself, "Holdfast-Token: <ADMIN_TOKEN>".',
  },
  TOKEN_WRONG: {
    status: 403,
    title: 'The token is not the admin token.',
    hint: 'Use the value of ADMIN_TOKEN (or of "admin": {"token"} in a settings file) or, when none was set, the one in the file that the start-up log names.',
  },
  ROUTE_UNKNOWN: {
    status: 404,
    title: 'There is nothing at this address.',
    hint: 'GET / lists what this service answers.',
  },
  COLLECTION_UNKNOWN: {
    status: 404,
    title: 'There is no collection of this name.',
    hint: 'GET / lists the collections; a collection is one JSON file in the collections folder.',
  },
  ROW_UNKNOWN: {
    status: 404,
    title: 'There is no row with this id.',
    hint: 'Ids are the "id" of rows that were created or listed.',
  },
  METHOD_UNKNOWN: {
    status: 405,
    title: 'This address does not take this method.',
    hint: 'The Allow header lists the methods that it takes.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request did not arrive in time.',
    hint: 'Send it faster, or raise HTTP_REQUEST_TIMEOUT.',
  },
  CONFLICT: {
    status: 409,
    title: 'The row collides with one that is there.',
    hint: 'A unique key of the collection has this value already: change it, or update that row.',
  },
  VERSION_MISMATCH: {
    status: 412,
    title: 'The row has changed since it was read.',
    hint: 'GET the row again and send its ETag in If-Match.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'The body is larger than this service takes.',
    hint: 'Send less, or raise HTTP_BODY_LIMIT.',
  },
  URL_TOO_LONG: {
    status: 414,
    title: 'The address is longer than this service takes.',
    hint: 'Shorten the query.',
  },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    title: 'The body has a content type that is not taken here.',
    hint: 'Send "Content-Type: application/json" with a JSON body, uncompressed.',
  },
  ROW_INVALID: {
    status: 422,
    title: 'The row does not fit its collection.',
    hint: '"errors" names each field by JSON pointer and what it takes.',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests from this address.',
    hint: 'Wait for the seconds of Retry-After; requests with the admin token are not limited.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The headers are larger than this service takes.',
    hint: 'Send fewer or shorter headers, or raise HTTP_HEADER_LIMIT.',
  },
  INTERNAL: {
    status: 500,
    title: 'Something went wrong in this service.',
    hint: 'The log has the cause under the request id of this answer.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'No database can be reached at the moment.',
    hint: 'Try again after Retry-After; GET /health says in which state the service is.',
  },
  COLLECTION_UNAVAILABLE: {
    status: 503,
    title: 'The table of this collection is missing or does not fit.',
    hint: 'GET /status, with the admin token, has the SQL; it counts within seconds.',
  },
  STORE_LOST: {
    status: 503,
    title: 'The database was lost before the change was committed; nothing was written.',
    hint: 'Send the request again.',
  },
  STORE_BUSY: {
    status: 503,
    title: 'The database was busy with other writes for too long.',
    hint: 'Send the request again; long transactions hold the writer.',
  },
  QUERY_TIMEOUT: {
    status: 503,
    title: 'The database did not answer within the limit.',
    hint: 'Send the request again, or raise QUERY_TIMEOUT.',
  },
  COMMIT_UNKNOWN: {
    status: 503,
    title: 'The database was lost while it committed; the change is there once or not at all.',
    hint: 'Read before you write again.',
  },
  DURABILITY_UNMET: {
    status: 503,
    title: 'The durability that was asked for cannot be had at the moment; nothing was written.',
    hint: 'Try again later, or ask for less with "Prefer: durability=...".',
  },
  READ_ONLY: {
    status: 503,
    title: 'The database takes no writes at the moment.',
    hint: 'Reads are answered; GET /status, with the admin token, says why.',
  },
  OVERLOADED: {
    status: 503,
    title: 'The service has more to do than it may hold.',
    hint: 'Try again after Retry-After.',
  },
  CLOSING: {
    status: 503,
    title: 'The service is shutting down.',
    hint: 'Send the request again; another process will answer.',
  },
  COLLECTION_FULL: {
    status: 507,
    title: 'The collection has as many rows as it may have.',
    hint: 'Delete rows, or raise "maxRows" in the collection\'s file.',
  },
  DISK_FULL: {
    status: 507,
    title: 'The disk of the database is full; nothing was written.',
    hint: 'Free space under DATA_DIR; writes are taken again without a restart.',
  },
}

/** What one invalid field is told. */
export interface FieldError {
  /** JSON pointer into the body, `''` for the body itself. */
  readonly pointer: string
  /** One sentence: what the field takes. */
  readonly message: string
}

/** What is particular to one refusal. */
export interface ErrorDetails {
  /** One sentence about this very case. Goes to the caller: no secret, no driver's message, no path of the machine. */
  readonly detail?: string
  /** Replaces the catalogue's hint where a better one is known. */
  readonly hint?: string
  /** Seconds for `Retry-After`. */
  readonly retryAfterS?: number
  /** The fields that are wrong (422). */
  readonly errors?: readonly FieldError[]
  /** What led here; logged, never sent. */
  readonly cause?: unknown
}

/** A refusal from the catalogue: the only error whose words reach a caller. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode
  readonly status: number
  readonly title: string
  readonly detail: string | undefined
  readonly hint: string
  readonly retryAfterS: number | undefined
  readonly errors: readonly FieldError[] | undefined

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const entry = errorCatalogue[code]
    super(`${code}: ${details.detail ?? entry.title}`, details.cause === undefined ? {} : { cause: details.cause })
    this.code = code
    this.status = entry.status
    this.title = entry.title
    this.detail = details.detail
    this.hint = details.hint ?? entry.hint
    this.retryAfterS = details.retryAfterS
    this.errors = details.errors
  }
}
