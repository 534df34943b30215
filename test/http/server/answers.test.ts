import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { HoldfastError } from '../../../src/errors.ts'
import { sendError } from '../../../src/http/server/answers.ts'
import { serve } from '../support.ts'

test('an error keeps the id that the application gave, and not the ETag of the row that it is no answer about', async (t) => {
  const { base } = await serve(t, (app) => {
    app.get('/row', (_req, res) => {
      res.setHeader('ETag', '"a"').setHeader('X-Request-Id', 'mine')
      throw new HoldfastError('OVERLOADED', { retryAfterS: 0.2 })
    })
  })
  const answer = await fetch(`${base}/row`)
  const { requestId, code } = (await answer.json()) as { requestId: string; code: string } // A problem.
  assert.deepEqual([code, requestId, answer.headers.get('x-request-id')], ['OVERLOADED', 'mine', 'mine'])
  assert.equal(answer.headers.get('etag'), null)
  assert.equal(answer.headers.get('retry-after'), '1', 'never earlier than was said')
})

test('a request that was read to its end is answered at once, whatever its size', () => {
  const req = new IncomingMessage(new Socket())
  req.headers['content-length'] = '9000000'
  req.complete = true
  const res = new ServerResponse(req)
  sendError(req, res, new HoldfastError('BODY_TOO_LARGE'))
  assert.deepEqual([res.writableEnded, res.getHeader('connection')], [true, undefined])
})

test('what is left of a refused body is read up to 8 MiB, and for two seconds', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const refuse = (
    code: 'BODY_TOO_LARGE' | 'ROUTE_NOT_FOUND',
    bytes = '',
  ): { req: IncomingMessage; res: ServerResponse } => {
    const req = new IncomingMessage(new Socket())
    req.headers['content-length'] = bytes
    const res = new ServerResponse(req)
    sendError(req, res, new HoldfastError(code))
    assert.equal(res.writableEnded, false)
    return { req, res }
  }
  const large = refuse('BODY_TOO_LARGE')
  large.req.emit('data', Buffer.alloc(8 * 1024 * 1024))
  assert.equal(large.res.writableEnded, false)
  large.req.emit('data', Buffer.alloc(1))
  assert.equal(large.res.writableEnded, true)
  const slow = refuse('ROUTE_NOT_FOUND', '8388609')
  t.mock.timers.tick(1_999)
  assert.equal(slow.res.writableEnded, false)
  t.mock.timers.tick(1)
  assert.equal(slow.res.writableEnded, true)
})
