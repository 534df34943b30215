import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { Framing } from '../../../plugins/postgresql/client/framing.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench } from '../../../src/conformance/bench.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { listenWith } from '../../support/servers/fake-postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { openingFault } from './room.ts'

const at = (port: number, query = '') => `postgres://u:hunter2@127.0.0.1:${port}/d${query}`

describe('a server that breaks the protocol', () => {
  const cleanup = cleanupOf(after)
  let bench: Bench
  before(async () => {
    bench = await createBench(driver, { address: async () => at(1) })
    cleanup.after(() => bench.end())
  })

  for (const [what, bytes] of [
    ['an error whose fields have no end', message('E', 'SFATAL')],
    ['an error whose last field has no end', message('E', 'SFATAL\0Mno')],
    ['a notice without a body', head('N', 4)],
    ['the greeting of a MySQL that has the length of a notice', Buffer.from('N\0\0\0\x0a5.5.5-10.11.6-MariaDB-0\0')],
    ['a length of two gigabytes', head('N', 0x7fffffff)],
    ['a negative length', head('S', 0xffffffff)],
    ['a length of nothing', head('R', 0)],
    ['a way to log in that there is not', message('R', '\0\0\0\x63')],
    ['a message that is cut off', head('R', 4)],
  ] as const) {
    test(`${what} is no PostgreSQL, at once`, async (t) => {
      const port = await listenWith(t, serving({ greet: (socket) => void socket.write(bytes) }))
      const fault = await openingFault(bench, at(port))
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['unreachable', 'PROTOCOL_BROKEN', false])
    })
  }

  for (const [what, bytes] of [
    ['fewer columns than none', message('D', '\xff\xff')],
    ['columns that are not there', message('T', '\0\x05')],
    ['a letter that nobody has', message('!', '')],
  ] as const) {
    test(`an answer with ${what} ends the connection at once`, async (t) => {
      const answer = (socket: Socket): void => void socket.write(bytes)
      const port = await listenWith(t, serving({ greet: (socket) => void socket.write(ready), answer }))
      assert.equal((await openingFault(bench, at(port))).code, 'PROTOCOL_BROKEN')
    })
  }

  test('messages are followed whichever way they are cut', () => {
    const good = Buffer.concat([ready, message('N', 'SNOTICE\0Mhello\0\0'), message('E', '\0'), message('n', '')])
    const bad = Buffer.concat([good, message('E', 'Mno\0\x01')])
    for (const size of [1, 2, 3, 4, 5, 6, 7, 1_000]) {
      assert.doesNotThrow(() => readIn(good, size), `pieces of ${size}`)
      assert.throws(() => readIn(bad, size), { code: 'PROTOCOL_BROKEN' }, `pieces of ${size}`)
    }
  })

  test('a login without end is broken off before it keeps this process busy', async (t) => {
    const notices = Buffer.concat(Array.from({ length: 8_000 }, () => message('N', 'SNOTICE\0\0')))
    const greet = (socket: Socket): void => {
      const more = (): boolean => !socket.destroyed && socket.write(notices, () => more())
      more()
    }
    assert.equal((await openingFault(bench, at(await listenWith(t, serving({ greet }))))).code, 'PROTOCOL_BROKEN')
  })

  test('rows without end are too many before they fill the memory; portions of them are counted each for itself', () => {
    const portion = Buffer.concat(Array.from({ length: 10_000 }, () => message('D', '\0\0')))
    const read = (between: Buffer): number => {
      const framing = new Framing()
      framing.read(ready)
      for (let count = 0; count < 3_000; count += 1) {
        try {
          framing.read(portion)
          framing.read(between)
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, 'ANSWER_TOO_LARGE')
          return count
        }
      }
      return Number.POSITIVE_INFINITY
    }
    assert.ok(read(Buffer.alloc(0)) < 3_000)
    assert.equal(read(message('s', '')), Number.POSITIVE_INFINITY)
  })

  describe('with a certificate, in the middle', { skip: noOpenssl }, () => {
    let tls: NonNullable<Behaviour['tls']>
    before(async () => {
      const { certificate, key } = await makeCertificate(cleanup)
      tls = { cert: certificate, key }
    })

    for (const [what, wish] of [
      ['the password in clear', message('R', '\0\0\0\x03')],
      ['a digest of the password', message('R', '\0\0\0\x05salt')],
    ] as const) {
      test(`${what} is not given where the channel is to be bound`, async (t) => {
        const said: string[] = []
        const greet = (socket: Socket): void => {
          socket.write(wish)
          socket.on('data', (bytes) => said.push(bytes.toString('latin1')))
        }
        const port = await listenWith(t, serving({ greet, tls }))
        const fault = await openingFault(bench, at(port, '?sslmode=require&channel_binding=require'))
        assert.deepEqual([fault.kind, fault.code], ['tls', 'CHANNEL_BINDING'])
        assert.deepEqual(said, [])
      })
    }

    test('a channel is not bound because binding was offered: who lets us in must have shown it', async (t) => {
      const greet = (socket: Socket): void => {
        socket.write(message('R', '\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0'))
        socket.once('data', () => socket.write(ready))
      }
      const port = await listenWith(t, serving({ greet, tls }))
      const fault = await openingFault(bench, at(port, '?sslmode=require&channel_binding=require'))
      assert.deepEqual([fault.kind, fault.code], ['tls', 'CHANNEL_BINDING'])
    })
  })
})

interface Behaviour {
  /** What follows the startup packet. */
  greet(socket: Socket): void
  /** What follows each statement. */
  readonly answer?: (socket: Socket) => void
  /** Takes TLS where it is asked for; else refuses it. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** A server with the first words of PostgreSQL, and others after them. */
function serving({ greet, answer, tls }: Behaviour): (socket: Socket) => void {
  const talk = (socket: Socket, isStarted = false): void => {
    if (isStarted) greet(socket)
    let isGreeted = isStarted
    socket.on('data', () => {
      if (isGreeted) answer?.(socket)
      else greet(socket)
      isGreeted = true
    })
    socket.on('error', () => {})
  }
  return (socket) => {
    socket.once('data', (bytes) => {
      // Where TLS was refused, the next connection does not ask.
      if (bytes.readUInt32BE(4) !== 80_877_103) return talk(socket, true)
      socket.write(tls === undefined ? 'N' : 'S')
      if (tls !== undefined) talk(new TLSSocket(socket, { isServer: true, ...tls }))
    })
  }
}

function readIn(bytes: Buffer, size: number): void {
  const framing = new Framing()
  for (let from = 0; from < bytes.length; from += size) framing.read(bytes.subarray(from, from + size))
}

function message(letter: string, body: string): Buffer {
  return Buffer.concat([head(letter, body.length + 4), Buffer.from(body, 'latin1')])
}

function head(letter: string, length: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes.write(letter, 'latin1')
  bytes.writeUInt32BE(length, 1)
  return bytes
}

const ready = Buffer.concat([
  message('R', '\0\0\0\0'),
  message('S', 'server_version\x0016.1\0'),
  message('K', '\0\0\0\x01\0\0\0\x02'),
  message('Z', 'I'),
])
