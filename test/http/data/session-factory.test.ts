import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import polka from 'polka'
import { emptySteps, type StoreSteps } from '../../../src/database/supervisor/steps.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { DatabaseSessionFactory } from '../../../src/http/data/session-factory.ts'
import { type Rig, type RigOptions, rigOf } from '../../database/rig.ts'
import { settle } from '../../support/fake-clock.ts'
import { faultLike } from '../../support/scripted-driver.ts'

const Note = defineEntity({ name: 'Note', properties: { id: p.string().primary() } })

const steps: StoreSteps = {
  ...emptySteps,
  prepare: async (store) => {
    await store.statements.write('create table note (id text primary key)', [])
  },
}

interface SetUp {
  readonly rig: Rig
  readonly sessions: DatabaseSessionFactory
  /** Serves with the listener on a port that is free; closed at the end. */
  serve(listener: RequestListener): Promise<string>
  end(): Promise<void>
}

function setUp(options: RigOptions = {}): SetUp {
  const rig = rigOf({ declared: false, steps, entities: [Note], ...options })
  const sessions = new DatabaseSessionFactory(rig.supervisor, rig.work, (seen) => rig.seen.push(seen))
  const servers: Server[] = []
  return {
    rig,
    sessions,
    serve: async (listener) => {
      const server = createServer(listener).listen(0, '127.0.0.1')
      servers.push(server)
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // Listening on TCP.
    },
    end: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
      await until(() => rig.gate.active === 0)
      sessions.close()
      await rig.supervisor.close(1_000)
      rig.work.close()
    },
  }
}

/** Waits for a condition, not for a time. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (condition()) return
    await settle(1)
  }
  assert.fail('The condition was never met.')
}

/** What the handler below shows. */
interface Told {
  readonly isSame: boolean
  readonly attempt: string
  readonly active: number
}

/** A handler that takes its session twice and shows what it got. */
function twice(setup: SetUp): RequestListener {
  return async (request, response) => {
    const [one, two] = await Promise.all([setup.sessions.session(request), setup.sessions.session(request)])
    const isSame = one === two && one.em === two.em
    response.end(JSON.stringify({ isSame, attempt: one.attempt, active: setup.rig.gate.active }))
  }
}

describe('a session', () => {
  test('is the same for one request and never shared by two, with node:http and Polka', async () => {
    const setup = setUp()
    const app = polka().get('/', twice(setup))
    const plain = await setup.serve(twice(setup))
    const withPolka = await setup.serve(app.handler as RequestListener) // Polka types its request more narrowly.
    const attempts = new Set<string>()
    for (const url of [plain, withPolka]) {
      const answers = await Promise.all(
        [1, 2, 3].map(() => fetch(url).then(async (answer) => (await answer.json()) as Told)),
      )
      for (const answer of answers) {
        assert.equal(answer.isSame, true)
        assert.ok(answer.active >= 1)
        attempts.add(answer.attempt)
      }
    }
    assert.equal(attempts.size, 6)
    await setup.end()
  })

  test('is found through req.res, as Express links it', async () => {
    const setup = setUp()
    const request = { res: undefined } as unknown as IncomingMessage & { res: ServerResponse } // As Express hands it on.
    request.res = new ServerResponse(request)
    const session = await setup.sessions.session(request)
    assert.equal(session.shown, 'local')
    assert.equal(setup.rig.gate.active, 1)
    request.res.emit('close')
    assert.equal(setup.rig.gate.active, 0)
    await setup.end()
  })

  test('does not pass a gate that is held while it waits for its store', async () => {
    const setup = setUp()
    const { gate } = setup.rig
    const request = { res: undefined } as unknown as IncomingMessage & { res: ServerResponse } // As Express hands it on.
    request.res = new ServerResponse(request)
    const session = setup.sessions.session(request)
    gate.hold()
    await until(() => setup.rig.seen.some((seen) => seen.type === 'store.opened'))
    await setup.rig.supervisor.serving()
    await settle(50)
    assert.equal(gate.active, 0)
    gate.release()
    await session
    assert.equal(gate.active, 1)
    request.res.emit('close')
    await setup.end()
  })

  test('is refused where no response can be found', async () => {
    const setup = setUp()
    const request = {} as IncomingMessage // Of no server.
    await assert.rejects(setup.sessions.session(request), TypeError)
    await setup.end()
  })

  test('does not keep a failure: the same request may ask again', async () => {
    const setup = setUp()
    setup.rig.fallback.script = ['unwritable', 'works']
    const codes: string[] = []
    const url = await setup.serve(async (request, response) => {
      try {
        await setup.sessions.session(request)
      } catch (error) {
        codes.push(error instanceof HoldfastError ? error.code : String(error))
      }
      await setup.rig.clock.advance(1_000)
      response.end((await setup.sessions.session(request)).shown)
    })
    assert.equal(await (await fetch(url)).text(), 'local')
    assert.deepEqual(codes, ['STORE_UNAVAILABLE'])
    await setup.end()
  })

  test('on a read-only fallback reads, and refuses statements and flushes that write', async () => {
    const setup = setUp({ declared: true, settings: { fallbackMode: 'read-only' } })
    setup.rig.primary.script = ['auth']
    const url = await setup.serve(async (request, response) => {
      const session = await setup.sessions.session(request)
      const rows = await session.statements.read('select 1 as one', [])
      const write = session.statements.write('insert into note values (?)', ['x'])
      const codes: unknown[] = [rows.length, await write.catch((error: HoldfastError) => error.code)]
      session.em.create(Note, { id: 'x' })
      codes.push(await session.em.flush().catch((error: HoldfastError) => error.code))
      response.end(JSON.stringify(codes))
    })
    assert.deepEqual(await (await fetch(url)).json(), [1, 'STORE_READ_ONLY', 'STORE_READ_ONLY'])
    await setup.end()
  })
})

describe('the count of active sessions is true', () => {
  test('after answers and after errors', async () => {
    const setup = setUp()
    const app = polka({
      onError: (_error, _request, response) => {
        response.statusCode = 500
        response.end()
      },
    })
    app.get('/', twice(setup))
    app.get('/fails', async (request) => {
      await setup.sessions.session(request)
      throw new Error('no')
    })
    const url = await setup.serve(app.handler as RequestListener) // As above.
    await Promise.all([1, 2, 3].map(() => fetch(url).then((answer) => answer.text())))
    assert.equal((await fetch(`${url}/fails`)).status, 500)
    await until(() => setup.rig.gate.active === 0)
    await setup.end()
  })

  test('after the client has disconnected, before and after the session was made', async () => {
    const setup = setUp()
    let isWaiting = false
    const errors: unknown[] = []
    const url = await setup.serve(async (request) => {
      const session = setup.sessions.session(request)
      isWaiting = true
      await session.catch((error: unknown) => errors.push(error))
    })
    const request = get(url).on('error', () => {})
    await until(() => setup.rig.gate.active === 1)
    request.destroy()
    await until(() => setup.rig.gate.active === 0)

    setup.rig.gate.hold()
    isWaiting = false
    const early = get(url).on('error', () => {})
    await until(() => isWaiting)
    early.destroy()
    await until(() => errors.length === 1)
    setup.rig.gate.release()
    assert.equal(setup.rig.gate.active, 0)
    await setup.end()
  })

  test('after a socket was reset in the middle of an answer, and nothing of its transaction stays open', async () => {
    const setup = setUp()
    const url = await setup.serve(async (request, response) => {
      const { em } = await setup.sessions.session(request)
      await em.begin()
      response.write('half')
    })
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    assert.equal(setup.rig.gate.active, 1)
    socket.resetAndDestroy()
    await until(() => setup.rig.gate.active === 0)
    const outcome = await setup.rig.work.transactional(async (session) => {
      session.em.create(Note, { id: 'after' })
    })
    assert.equal(outcome.store, 'local')
    await setup.end()
  })

  test('and no more sessions than the limit are open at once', async () => {
    const setup = setUp({ maxActiveSessions: () => 1 })
    const url = await setup.serve(async (request, response) => {
      try {
        await setup.sessions.session(request)
      } catch (error) {
        response.end(error instanceof HoldfastError ? error.code : 'else')
      }
    })
    const first = get(url).on('error', () => {})
    await until(() => setup.rig.gate.active === 1)
    assert.equal(await (await fetch(url)).text(), 'OVERLOADED')
    first.destroy()
    await setup.end()
  })
})

test('a handler’s error from the database becomes a HoldfastError, and any other stays what it is', async () => {
  const setup = setUp()
  const url = await setup.serve(async (request, response) => {
    await setup.sessions.session(request)
    const own = new Error('mine')
    const busy = await setup.sessions.refusal(request, new FaultError(faultLike('transient')))
    response.end(
      JSON.stringify([
        (await setup.sessions.refusal(request, own)) === own,
        busy instanceof HoldfastError ? busy.code : String(busy),
      ]),
    )
  })
  assert.deepEqual(await (await fetch(url)).json(), [true, 'STORE_BUSY'])
  await setup.end()
})
