import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostsByAddress, oneAtATime } from '../../../../src/driver/kit/address/addresses.ts'

const host = { host: 'db.example', port: 5432 }
const four = (address: string) => ({ address, family: 4 })
const six = (address: string) => ({ address, family: 6 })

test('a name with several addresses of one family is one host per address, the other family’s too', async () => {
  const found = [six('::1'), four('10.0.0.1'), four('10.0.0.2'), four('10.0.0.1')]
  assert.deepEqual(await hostsByAddress([host], async () => found), [
    { ...host, address: '::1' },
    { ...host, address: '10.0.0.1' },
    { ...host, address: '10.0.0.2' },
  ])
})

test('one address per family, a name that is unknown, an address and a socket stay as they are', async () => {
  const asked: string[] = []
  const find = async (name: string) => {
    asked.push(name)
    if (name === 'unknown') throw new Error('ENOTFOUND')
    return [six('::1'), four('127.0.0.1')]
  }
  const hosts = ['localhost', 'unknown', '10.0.0.1', '::1', '/run/postgresql'].map((name) => ({ host: name, port: 1 }))
  const [first = host, ...more] = hosts
  assert.deepEqual(await hostsByAddress([first, ...more], find), hosts)
  assert.deepEqual(asked, ['localhost', 'unknown'])
})

test('a name service that hangs for one host keeps no other waiting for it', async () => {
  const other = { host: 'other', port: 1 }
  const find = (name: string) =>
    name === 'other' ? new Promise<never>(() => {}) : Promise.resolve([four('10.0.0.1'), four('10.0.0.2')])
  assert.deepEqual(await hostsByAddress([other, host], find), [
    other,
    { ...host, address: '10.0.0.1' },
    { ...host, address: '10.0.0.2' },
  ])
})

test('a name service that hangs is asked once, and again once it has answered or failed', async () => {
  const questions: PromiseWithResolvers<never[]>[] = []
  const find = oneAtATime(() => {
    const question = Promise.withResolvers<never[]>()
    questions.push(question)
    return question.promise
  })
  for (const _ of [1, 2]) assert.deepEqual(await hostsByAddress([host], find), [host])
  assert.equal(questions.length, 1)
  questions[0]?.reject(new Error('ENOTFOUND'))
  await assert.rejects(find(host.host))
  const again = find(host.host)
  assert.equal(questions.length, 2)
  questions[1]?.resolve([])
  assert.deepEqual(await again, [])
})
