import assert from 'node:assert/strict'
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { currentTurn } from '../../../src/database/work/turn.ts'
import { createBatches } from '../../../src/http/server/batches.ts'
import type { Exchange } from '../../../src/http/server/exchange.ts'

function exchange(): Exchange {
  const req = new IncomingMessage(new Socket())
  return { req, res: new ServerResponse(req), url: '/', context: new AsyncResource('test'), end: () => undefined }
}

test('requests of one turn are carried out together, in their order, after all of them have arrived', async () => {
  const seen: { readonly exchange: Exchange; readonly turn: number }[] = []
  const add = createBatches((one) => seen.push({ exchange: one, turn: currentTurn() }))
  const [first, second, later] = [exchange(), exchange(), exchange()]
  const before = currentTurn()
  add(first)
  add(second)
  assert.equal(seen.length, 0)
  await setImmediate()
  assert.deepEqual(
    seen.map((one) => one.exchange),
    [first, second],
  )
  assert.deepEqual(
    seen.map(({ turn }) => turn),
    [before + 1, before + 1],
  )
  add(later)
  await setImmediate()
  assert.equal(seen[2]?.exchange, later)
  assert.equal(seen[2]?.turn, before + 2)
})

test('a request that arrives while others are carried out has a turn of its own', async () => {
  const turns: number[] = []
  const add = createBatches(() => {
    turns.push(currentTurn())
    if (turns.length === 1) add(exchange())
  })
  add(exchange())
  await setImmediate()
  await setImmediate()
  assert.equal(turns.length, 2)
  assert.notEqual(turns[0], turns[1])
})

test('each request is carried out in the context in which it arrived', async () => {
  const tenant = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const add = createBatches(() => seen.push(tenant.getStore()))
  for (const name of ['a', 'b']) tenant.run(name, () => add(exchange()))
  add(exchange())
  await setImmediate()
  assert.deepEqual(seen, ['a', 'b', undefined])
})
