import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { sendText } from '../../../src/http/server/answers.ts'
import { ConnectionLimit } from '../../../src/http/server/connection-limit.ts'
import { until, within } from '../../support/until.ts'
import { rawConnect, serve } from '../support.ts'

/** The part of a socket that the limit uses; a test has no sockets from other machines. */
function socketFrom(remoteAddress: string): Socket {
  const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false, destroy: () => {} })
  socket.destroy = () => {
    socket.destroyed = true
    socket.emit('close')
  }
  return socket as unknown as Socket // No more of it is used.
}

test('connections that say nothing are closed for those that send requests, which stay open', async (t) => {
  const { port, base, observations } = await serve(
    t,
    (app) => {
      app.get('/', (_req, res) => sendText(res, 200, 'text/plain', 'answered'))
      app.get('/never', () => {})
    },
    { http: { maxConnections: 10 } },
  )
  const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
  const kept = rawConnect(t, port, get)
  await until(() => kept.text().endsWith('answered'))
  const busy = rawConnect(t, port, 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
  const silent = Array.from({ length: 30 }, () => rawConnect(t, port))
  await Promise.all(silent.map(({ socket }) => once(socket, 'connect').catch(() => {})))
  const answer = await fetch(base, { headers: { connection: 'close' } })
  assert.equal(await answer.text(), 'answered')
  kept.socket.write(get)
  await until(() => kept.text().split('answered').length === 3, { what: 'the second answer' })
  assert.equal(busy.socket.closed, false)
  const first = silent[0]
  assert.ok(first !== undefined)
  await within(first.closed, 2_000, 'the one that was silent for the longest')
  assert.ok(observations.some((seen) => seen.type === 'connection.dropped' && seen.limit === 10))
})

test('when all connections are busy, a new one is closed', () => {
  const connections = new ConnectionLimit({ all: 2, perAddress: null }, () => {})
  const [one, two, three] = [socketFrom('192.0.2.1'), socketFrom('192.0.2.1'), socketFrom('192.0.2.2')]
  for (const socket of [one, two]) {
    connections.add(socket)
    connections.markBusy(socket)
  }
  connections.add(three)
  assert.deepEqual([one.destroyed, two.destroyed, three.destroyed], [false, false, true])
  connections.markIdle(one)
  const four = socketFrom('192.0.2.2')
  connections.add(four)
  assert.deepEqual([one.destroyed, four.destroyed], [true, false])
  assert.deepEqual([...connections.open], [two, four])
})

test('one address gets its share, and loopback is not limited', () => {
  let dropped = 0
  const connections = new ConnectionLimit({ all: 10, perAddress: 5 }, () => dropped++)
  const local = Array.from({ length: 3 }, () => socketFrom('127.0.0.1'))
  const many = Array.from({ length: 20 }, () => socketFrom('192.0.2.1'))
  const other = socketFrom('192.0.2.2')
  for (const socket of [...local, other, ...many]) connections.add(socket)
  assert.equal(dropped, 15)
  assert.equal(other.destroyed, false)
  assert.deepEqual([...connections.open], [...local, other, ...many.slice(15)])
})
