import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, describe, mock, test } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
import { type Bench, createBench, limits, urlAddress } from '../../../src/conformance/bench.ts'
import type { Fault } from '../../../src/driver/fault.ts'
import { listenWith } from '../../support/servers/fake-postgres.ts'
import { type Cleanup, cleanupOf } from '../../support/temp.ts'
import { within } from '../../support/until.ts'

describe('a server that breaks the protocol', () => {
  const cleanup = cleanupOf(after)
  let bench: Bench
  before(async () => {
    bench = await createBench(driver, { address: async () => 'mysql://u:p@127.0.0.1:1/d' })
    cleanup.after(() => bench.end())
  })

  /** Why a server cannot serve, and all that it was sent. */
  async function opening(t: Cleanup, serve: Behaviour, query = ''): Promise<Fault & { readonly heard: string }> {
    const heard: Buffer[] = []
    const port = await listenWith(t, (socket) => {
      socket.on('data', (bytes) => heard.push(bytes))
      serving(serve)(socket)
    })
    const text = `mysql://u:hunter2@127.0.0.1:${port}/d${query}`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target)
    const [candidate] = await driver.connect(target, { ...limits, connectMs: 1_500, queryMs: 400 })
    assert.ok(candidate)
    const work = candidate.open(AbortSignal.timeout(3_000)).then((connection) => connection.evict())
    const error = await within(
      work.then(
        () => assert.fail('it was let in'),
        (thrown: unknown) => thrown,
      ),
      4_000,
      'the opening',
    )
    return { ...driver.classify(error, 'open'), heard: Buffer.concat(heard).toString('latin1') }
  }

  for (const [what, greeting] of [
    ['an empty greeting', packet(0, Buffer.alloc(0))],
    ['a greeting of another kind', packet(0, 'hello')],
    ['an error without a number', packet(0, Buffer.from([0xff]))],
  ] as const) {
    test(`${what} is no MySQL`, async (t) => {
      const fault = await opening(t, { greet: (socket) => void socket.write(greeting) })
      assert.equal(fault.kind, 'unreachable')
    })
  }

  test('a greeting without end is not kept', async (t) => {
    const part = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0]), Buffer.alloc(0xffffff)])
    const greet = (socket: Socket): void => {
      socket.on('drain', () => socket.write(part))
      socket.write(part)
    }
    const { kind, code } = await opening(t, { greet })
    assert.deepEqual([kind, code], ['unreachable', 'ANSWER_TOO_LARGE'])
  })

  test('packets out of order end the connection, and write nothing', async (t) => {
    const written = mock.method(console, 'error', () => {})
    try {
      const answer = (socket: Socket): void => void socket.write(packet(77, ok))
      const { kind, code } = await opening(t, { answer })
      assert.deepEqual([kind, code], ['unreachable', 'PROTOCOL_PACKETS_OUT_OF_ORDER'])
      assert.equal(written.mock.callCount(), 0)
    } finally {
      written.mock.restore()
    }
  })

  test('an error with a number of its own is what it says, and writes nothing', async (t) => {
    const written = mock.method(console, 'error', () => {})
    try {
      const error = packet(0, Buffer.from('\xff\x1d\x04#08S01Server shutdown', 'latin1'))
      const fault = await opening(t, { answer: (socket) => void socket.write(error) })
      assert.deepEqual([fault.kind, fault.code], ['unreachable', '1053'])
      assert.equal(written.mock.callCount(), 0)
    } finally {
      written.mock.restore()
    }
  })

  test('what goes on in clear where TLS was agreed is not taken for an answer', async (t) => {
    for (const injected of [packet(1, ok), switchTo('sha256_password', 1), Buffer.from([5, 0, 0])]) {
      const greet = (socket: Socket): void => void socket.write(Buffer.concat([greeting(encrypted), injected]))
      const fault = await opening(t, { greet }, '?ssl-mode=REQUIRED')
      assert.notEqual(fault.kind, 'auth')
      assert.ok(!fault.heard.includes('hunter2'))
    }
  })

  for (const plugin of ['mysql_clear_password', 'mysql_old_password', 'dialog', '__proto__', 'constructor']) {
    test(`a server that wants "${plugin}" gets no password`, async (t) => {
      const fault = await opening(t, { login: (socket) => void socket.write(switchTo(plugin, 2)) })
      assert.equal(fault.kind, 'auth')
      assert.ok(!fault.heard.includes('hunter2'))
    })
  }

  test('a server that asks for a file of this machine gets none', async (t) => {
    const wish = packet(1, Buffer.from('\xfb/etc/hostname', 'latin1'))
    const fault = await opening(t, { answer: (socket) => void socket.write(wish) })
    assert.ok(fault.kind === 'unreachable' || fault.kind === 'statement', fault.kind)
    // After the login and the first statement comes an empty packet at most: nothing of the file.
    const sent = fault.heard.slice(fault.heard.indexOf('holdfast') + 1)
    assert.ok(!sent.includes((await import('node:os')).hostname()))
  })

  test('the words of a server are not shown', async (t) => {
    const error = packet(2, Buffer.from('\xff\x15\x04#28000no hunter2 \x1b[31m', 'latin1'))
    const { kind, summary, hint } = await opening(t, { login: (socket) => void socket.write(error) })
    assert.equal(kind, 'auth')
    assert.doesNotMatch(summary + hint, /hunter2|\p{Cc}/u)
  })
})

interface Behaviour {
  /** Instead of MySQL's greeting. */
  readonly greet?: (socket: Socket) => void
  /** Instead of letting in whoever comes. */
  readonly login?: (socket: Socket) => void
  /** What follows each statement. */
  readonly answer?: (socket: Socket) => void
}

/** A server with the first words of MySQL, and others after them. */
function serving({ greet, login, answer }: Behaviour): (socket: Socket) => void {
  return (socket) => {
    let isIn = false
    if (greet === undefined) socket.write(greeting(plain))
    else greet(socket)
    socket.on('data', () => {
      if (greet !== undefined) return
      if (isIn) answer?.(socket)
      else if (login === undefined) socket.write(packet(2, ok))
      else login(socket)
      isIn = true
    })
  }
}

/** Long password, found rows, database, protocol 4.1, transactions, safe login, plugins. */
const plain = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
const encrypted = plain | 0x800

const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0])

function greeting(abilities: number): Buffer {
  const bits = Buffer.alloc(4)
  bits.writeUInt32LE(abilities)
  return packet(
    0,
    Buffer.concat([
      Buffer.from('\x0a8.0.36\0\x01\0\0\x0012345678\0', 'latin1'),
      bits.subarray(0, 2),
      Buffer.from([45, 2, 0]),
      bits.subarray(2),
      Buffer.from([21]),
      Buffer.alloc(10),
      Buffer.from('123456789012\0mysql_native_password\0'),
    ]),
  )
}

function switchTo(plugin: string, sequence: number): Buffer {
  return packet(sequence, Buffer.from(`\xfe${plugin}\x0012345678901234567890\0`, 'latin1'))
}

function packet(sequence: number, body: Buffer | string): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, Buffer.from(body)])
}
