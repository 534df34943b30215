import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, type TestContext, test } from 'node:test'
import { endOfAnswer, statusOf } from './answer.ts'
import { endLoad, load } from './generator.ts'
import type { LoadOptions } from './load.ts'

after(endLoad)

/** Answers by what they are, each complete. */
const answers: Readonly<Record<string, string>> = {
  'a length': 'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 5\r\nDate: x\r\n\r\nab\r\nc',
  'a length in other letters': 'HTTP/1.1 200 OK\r\ncONTENT-lENGTH:5\r\n\r\n\r\n\r\na',
  'a length of nothing': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  chunks:
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n1a;x=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n',
  'chunks with trailers': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\nC: d\r\n\r\n',
  'no content': 'HTTP/1.1 204 No Content\r\nETag: "1"\r\n\r\n',
  'nothing new': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n',
}

for (const [what, text] of Object.entries(answers)) {
  test(`the end of an answer with ${what} is found, and not before all of it is there`, () => {
    const bytes = Buffer.from(`${text}HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc`, 'latin1')
    assert.equal(endOfAnswer(bytes, bytes.length), text.length)
    for (let length = 0; length < text.length; length += 1) assert.equal(endOfAnswer(bytes, length), -1, `${length}`)
    assert.equal(endOfAnswer(bytes, text.length), text.length)
    assert.equal(statusOf(bytes), Number(text.slice(9, 12)))
  })
}

test('an answer that only the end of the connection would end has no end', () => {
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\nX-Content-Length: 3\r\n\r\nabc', 'latin1')
  assert.equal(endOfAnswer(bytes, bytes.length), -1)
})

/** A server of raw bytes; its port. */
async function listen(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => serve(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

test('the load counts each answer once, however its bytes arrive, and what is not 2xx as a failure', async (t) => {
  const all = Object.values(answers)
  const port = await listen(t, (socket) => {
    let at = 0
    socket.on('data', () => {
      const bytes = Buffer.from(all[at++ % all.length] ?? '', 'latin1')
      const half = Math.floor(bytes.length / 2)
      socket.write(bytes.subarray(0, half), () => setTimeout(() => socket.write(bytes.subarray(half)), 5))
    })
  })
  const count = 2 * all.length
  const result = await load({ port, connections: 1, seconds: 10, count, method: 'GET', paths: ['/a', '/b'] })
  assert.deepEqual([result.requests, result.failures, result.latenciesMs.length], [count, 2, count])
})

/** The first lines of the requests of one load, which a server answers with 204. */
async function requestsOf(
  t: TestContext,
  run: Omit<LoadOptions, 'port' | 'connections' | 'seconds'>,
): Promise<string[]> {
  const seen: string[] = []
  const port = await listen(t, (socket) => {
    socket.on('data', (bytes) => {
      seen.push(...(bytes.toString('latin1').match(/^.*(?= HTTP\/1\.1)/gm) ?? []))
      socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    })
  })
  assert.equal((await load({ ...run, port, connections: 8, seconds: 10 })).failures, 0)
  return seen
}

const paths = Array.from({ length: 100 }, (_, at) => `/${at}`)

test('the load requests each path once when it may send no more requests than there are paths', async (t) => {
  const seen = await requestsOf(t, { count: 100, method: 'DELETE', paths })
  assert.deepEqual(seen.toSorted(), paths.map((path) => `DELETE ${path}`).toSorted())
})

test('every tenth request of the load is another one where the case says so', async (t) => {
  const seen = await requestsOf(t, { count: 200, method: 'GET', paths, everyTenth: { method: 'PATCH', body: '{}' } })
  const patched = seen.filter((line) => line.startsWith('PATCH'))
  assert.deepEqual([seen.length, patched.length, new Set(patched).size], [200, 20, 10])
})

test('a server that goes away in the middle is a failure, and the load ends', async (t) => {
  const port = await listen(t, (socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab'))
  })
  const result = await load({ port, connections: 2, seconds: 0.2, method: 'GET', paths: ['/'] })
  assert.equal(result.requests, 0)
  assert.ok(result.failures > 1, `${result.failures}`)
})
