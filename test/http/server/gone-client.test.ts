import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { it } from 'node:test'
import { LargeBodies } from '../../../src/http/data/large-bodies.ts'
import { checkUnsent, writePart } from '../../../src/http/server/backpressure.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'
import { rawConnect } from '../support.ts'

/** The response to a client that has left. */
async function abandoned(t: Cleanup): Promise<ServerResponse> {
  const server = createServer().listen(0, '127.0.0.1')
  cleanLater(t, () => void server.close())
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { socket } = rawConnect(t, address.port)
  const asked = once(server, 'request')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [, res] = (await asked) as [unknown, ServerResponse] // As servers emit it.
  const closed = once(res, 'close')
  socket.destroy()
  await closed
  return res
}

it('a part for a client that has left is not waited for, and takes no memory of others', {
  timeout: 10_000,
}, async (t) => {
  const bytes = 32 * 1024 * 1024
  await writePart(await abandoned(t), 'text', bytes)
  await writePart(await abandoned(t), 'text', bytes)
  assert.doesNotThrow(() => checkUnsent(bytes))
})

it('large bodies of clients that have left do not count', async (t) => {
  const bodies = new LargeBodies()
  for (let left = 0; left < 5; left += 1) {
    const res = await abandoned(t)
    assert.doesNotThrow(() => bodies.of(res, 1).take())
  }
})
