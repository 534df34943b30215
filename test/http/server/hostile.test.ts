import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { parsePrecondition } from '../../../src/collection/row/etag.ts'
import { Secret } from '../../../src/config/secret.ts'
import { isAdmin } from '../../../src/http/auth/admin.ts'
import { parseParameter, readJson } from '../../../src/http/data/body.ts'
import { clientAddress } from '../../../src/http/data/client-address.ts'
import { parseDemand, parseMaxAge } from '../../../src/http/data/data-request.ts'
import { baseUrlOf, prefersHtml } from '../../../src/http/page/front-page.ts'
import { requestIdFor } from '../../../src/http/server/exchange.ts'

const length = 60_000

/** Endings that no pattern takes, behind long runs of whatever a pattern might take in more ways than one. */
const runs = [' ', '\t', ' ;', '"', ' "', 'a', '1', '1.', ':', '[', ',', '=', ' =', 'W/', 'W/"', '-', '.', '"x" ', 'q=']
const texts = runs.flatMap((run) => {
  const long = run.repeat(Math.floor(length / run.length))
  return [
    long,
    `${long}x"y`,
    `"${long}x"y`,
    `durability=${long}x"y`,
    `Bearer ${long}\u0000`,
    `[${long}`,
    `1.1.1.1:${long}x`,
  ]
})

function request(name: string, value: string): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.headers[name] = value
  return req
}

const token = new Secret('correct horse')

const readers: readonly (readonly [string, (text: string) => unknown])[] = [
  [
    'Content-Type',
    (text) => void readJson(request('content-type', `application/json;charset=${text}`), 9).catch(() => {}),
  ],
  ['a parameter', (text) => parseParameter(`charset=${text}`)],
  ['Prefer', (text) => parseDemand(request('prefer', text))],
  ['max-age in Prefer', (text) => parseMaxAge(request('prefer', `max-age=${text}`))],
  ['If-Match', (text) => parsePrecondition(text, true)],
  ['Accept', (text) => prefersHtml(text)],
  ['Host', (text) => baseUrlOf(request('host', text), null)],
  ['X-Forwarded-For', (text) => clientAddress(request('x-forwarded-for', text), 1)],
  ['X-Request-Id', (text) => requestIdFor(request('x-request-id', text))],
  ['Authorization', (text) => isAdmin(request('authorization', text), token)],
]

for (const [what, read] of readers) {
  test(`no text in ${what} takes long to read`, () => {
    const before = process.cpuUsage()
    for (const text of texts) {
      try {
        read(text)
      } catch {
        // Refusing is as good as reading.
      }
    }
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 3_000_000, `${(user + system) / 1_000} ms`)
  })
}

test('a parameter is read with and without quotes and blanks, and keeps quotes that are no pair', () => {
  assert.deepEqual(parseParameter(' Charset = "utf-8" '), { name: 'charset', value: 'utf-8' })
  assert.deepEqual(parseParameter('a=b=c'), { name: 'a', value: 'b=c' })
  assert.deepEqual(parseParameter('a="'), { name: 'a', value: '"' })
  assert.equal(parseParameter('respond-async'), null)
})

test('a Content-Type that goes on for ever is refused', async () => {
  const req = request('content-type', `application/json;a=${'b'.repeat(200)}`)
  await assert.rejects(readJson(req, 9), { code: 'CONTENT_TYPE_UNSUPPORTED', status: 415 })
})
