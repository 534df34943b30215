import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorCatalogue, HoldfastError } from '../src/errors.ts'
import { repository } from './support/process.ts'
import { readSources } from './support/sources.ts'

/** Clients depend on these pairs: a code is never renamed and never changes its status. */
const statuses: Readonly<Record<string, number>> = {
  JSON_INVALID: 400,
  ENCODING_INVALID: 400,
  CURSOR_INVALID: 400,
  QUERY_INVALID: 400,
  QUERY_TOO_COMPLEX: 400,
  QUERY_UNINDEXED: 400,
  KEY_INVALID: 400,
  REQUEST_INVALID: 400,
  TOKEN_MISSING: 401,
  TOKEN_INVALID: 401,
  SCOPE_MISSING: 403,
  ACCESS_DENIED: 403,
  RULE_REFUSED: 403,
  ROUTE_NOT_FOUND: 404,
  COLLECTION_NOT_FOUND: 404,
  ROW_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  FORMAT_NOT_ACCEPTABLE: 406,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  REFERENCE_MISSING: 409,
  REFERENCED: 409,
  TOO_MANY: 409,
  KEY_IN_USE: 409,
  WRITE_DISCARDED: 409,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  URL_TOO_LONG: 414,
  CONTENT_TYPE_UNSUPPORTED: 415,
  ROW_INVALID: 422,
  KEY_REUSED: 422,
  AGGREGATE_TOO_LARGE: 422,
  SUM_INEXACT: 422,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  STORE_UNAVAILABLE: 503,
  INCOMPLETE: 503,
  REPLAYING: 503,
  COLLECTION_UNAVAILABLE: 503,
  PLAN_NEEDED: 503,
  KEYS_UNAVAILABLE: 503,
  AUTH_UNAVAILABLE: 503,
  STORE_LOST: 503,
  STORE_BUSY: 503,
  QUERY_TIMEOUT: 503,
  COMMIT_UNKNOWN: 503,
  DURABILITY_UNMET: 503,
  ARCHIVE_UNCONFIRMED: 503,
  RESTORING: 503,
  ARCHIVE_REQUIRED: 503,
  STORE_READ_ONLY: 503,
  OVERLOADED: 503,
  CLOSING: 503,
  COLLECTION_FULL: 507,
  JOURNAL_FULL: 507,
  DISK_FULL: 507,
}

const documentation = globSync(['README.md', '{config,plugins,src,test}/**/README.md'], { cwd: repository })
  .map((file) => readFileSync(join(repository, file), 'utf8'))
  .join('\n')

test('the catalogue holds exactly these codes with these statuses', () => {
  const found = Object.entries(errorCatalogue).map(([code, { status }]) => [code, status])
  assert.deepEqual(Object.fromEntries(found), statuses)
})

test('each code has a row in the documentation, and no row is left of a code that is gone', () => {
  const rows = [...documentation.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, status])
  const expected = Object.entries(statuses).map(([code, status]) => [code, String(status)])
  assert.deepEqual(rows, expected)
})

test('what the documentation and the code name next to a status is in the catalogue, with that status', () => {
  const sources = [...readSources('src'), ...readSources('plugins')].map((file) => file.text)
  const named = [documentation, ...sources].flatMap((text) => [
    ...text.matchAll(/\b([45]\d\d) `?([A-Z]+_[A-Z_]+)\b`?/g),
  ])
  assert.ok(named.length > 0)
  for (const [whole, status, code = ''] of named) assert.equal(statuses[code], Number(status), whole)
})

test('titles and hints are sentences that fit on one line', () => {
  for (const [code, { title, hint }] of Object.entries(errorCatalogue)) {
    assert.match(title, /^[A-Z].*\.$/, code)
    assert.match(hint, /^[A-Z"].*\.$/, code)
    assert.ok(title.length <= 100 && hint.length <= 160, code)
  }
})

test('an error says its code and detail to the log, and keeps what the catalogue says for the client', () => {
  const cause = new Error('connection refused')
  const error = new HoldfastError('STORE_LOST', { detail: 'The server closed the connection.', cause })
  assert.equal(error.message, 'STORE_LOST: The server closed the connection.')
  assert.equal(error.cause, cause)
  assert.deepEqual([error.status, error.title], [503, errorCatalogue.STORE_LOST.title])
})
