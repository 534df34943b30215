import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { connectionStatusOf } from '../../../src/database/supervisor/connection-status.ts'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import { settle } from '../../support/fake-clock.ts'
import { addressOf, ScriptedDatabase } from '../../support/scripted-driver.ts'
import { type Rig, rigOf } from '../rig.ts'

function standingOf(server: string, more: Partial<Standing> = {}): Standing {
  return { cluster: 'c', server, isWritable: true, timeline: 4, position: 1n, members: 3, ...more }
}

function hostOf(name: string, more: Partial<Standing> = {}): ScriptedDatabase {
  const host = new ScriptedDatabase(name)
  host.standing = standingOf(name, more)
  return host
}

const standby = { isWritable: false } as const

/** A service that the first of these hosts serves. */
async function served(t: TestContext, ...hosts: readonly [ScriptedDatabase, ...ScriptedDatabase[]]): Promise<Rig> {
  const rig = rigOf({ settings: { failoverMs: 0 } })
  rig.config = { ...rig.config, primary: addressOf(...hosts) }
  t.after(async () => {
    const closed = rig.supervisor.close(0)
    await rig.clock.advance(5_000)
    await closed
    for (const host of hosts) assert.equal(host.calls.connectionsOpen, 0, `${host.target.id} is left alone`)
  })
  await rig.supervisor.open()
  await settle()
  assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
  return rig
}

function rolesOf({ supervisor }: Rig): Readonly<Record<string, string>> {
  return Object.fromEntries(connectionStatusOf(supervisor).hosts.map(({ label, role }) => [label.split('-')[0], role]))
}

/** The code of the fault for which the primary was left; null: it serves. */
function leftFor({ seen }: Rig): string | null {
  const left = seen.find((one) => one.type === 'connection.changed' && one.from === 'PRIMARY_CONNECTED')
  return left?.type === 'connection.changed' ? (left.fault?.code ?? null) : null
}

describe('while a primary of a cluster serves', () => {
  test('every host is looked at, at once and then every 2 s, on connections that are kept', async (t) => {
    const [a, b] = [hostOf('a'), hostOf('b', standby)]
    const rig = await served(t, a, b)
    assert.deepEqual(rolesOf(rig), { a: 'serving', b: 'standby' })
    const asked = [a, b].map(({ standingsAsked }) => standingsAsked)
    const opened = [a, b].map((host) => host.calls.opened)
    await rig.clock.advance(1_999)
    assert.deepEqual(
      [a, b].map(({ standingsAsked }) => standingsAsked),
      asked,
    )
    await rig.clock.advance(1)
    assert.deepEqual(
      [a, b].map(({ standingsAsked }) => standingsAsked),
      asked.map((count) => count + 1),
    )
    assert.deepEqual(
      [a, b].map((host) => host.calls.opened),
      opened,
    )
    assert.equal(leftFor(rig), null)
  })

  test('one that was promoted next to it makes it an orphan, which is left at once', async (t) => {
    const [a, b] = [hostOf('a'), hostOf('b', standby)]
    const rig = await served(t, a, b)
    b.standing = standingOf('b', { timeline: 5 })
    await rig.clock.advance(2_000)
    assert.equal(leftFor(rig), 'PRIMARY_ORPHANED')
    await rig.clock.advance(10_000)
    assert.equal(rig.supervisor.current?.store.label, 'b-store')
    // The one that was left still accepts writes, and is of no concern.
    assert.deepEqual(rolesOf(rig), { a: 'orphan', b: 'serving' })
    assert.equal(rig.supervisor.writeBlock, null)
  })

  test('another host that hangs keeps no orphan in service', async (t) => {
    const [a, b, c] = [hostOf('a'), hostOf('b', standby), hostOf('c', standby)]
    const rig = await served(t, a, c, b)
    c.script = ['hangs']
    b.standing = standingOf('b', { timeline: 5 })
    await rig.clock.advance(2_000)
    assert.equal(leftFor(rig), 'PRIMARY_ORPHANED')
    b.script = ['works']
    c.script = ['works']
    await rig.clock.advance(10_000)
  })

  test('two that accept writes on one timeline are both left, and the fallback accepts no writes until one is alone', async (t) => {
    const [a, b] = [hostOf('a'), hostOf('b', standby)]
    const rig = await served(t, a, b)
    b.standing = standingOf('b')
    await rig.clock.advance(2_000)
    assert.equal(leftFor(rig), 'PRIMARY_SPLIT')
    await rig.clock.advance(20_000)
    assert.equal(rig.supervisor.state.name, 'FALLBACK_CONNECTED')
    assert.deepEqual([rig.supervisor.writeBlock, rig.fallback.isReadOnly], ['split', true])
    assert.ok(rig.seen.some((seen) => seen.type === 'fallback.writes' && seen.block === 'split'))
    b.standing = standingOf('b', standby)
    await rig.clock.advance(20_000)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    assert.deepEqual([rig.supervisor.writeBlock, rig.fallback.isReadOnly], [null, false])
  })

  test('a server that is restarted under two names is no second one', async (t) => {
    const [a, alias] = [hostOf('a'), hostOf('alias')]
    alias.standing = standingOf('a')
    const rig = await served(t, a, alias)
    alias.standing = standingOf('again')
    const { standingsAsked } = a
    // The first name answers once more from before the restart.
    const standing = { get: () => standingOf(a.standingsAsked > standingsAsked + 1 ? 'again' : 'a') }
    Object.defineProperty(a, 'standing', standing)
    await rig.clock.advance(10_000)
    const rivals = rig.seen.filter((seen) => seen.type === 'cluster.host' && seen.role === 'rival')
    assert.equal(rivals.length, 1)
    assert.equal(leftFor(rig), null)
    assert.deepEqual(rolesOf(rig), { a: 'serving', alias: 'serving' })
  })

  test('a host of another cluster is a problem for as long as it is one, and never serves', async (t) => {
    const [a, b] = [hostOf('a'), hostOf('b', standby)]
    const rig = await served(t, a, b)
    assert.equal(rig.supervisor.cluster.problems.length, 0)
    b.standing = standingOf('b', { cluster: 'other', timeline: 9 })
    await rig.clock.advance(2_000)
    assert.deepEqual(rolesOf(rig), { a: 'serving', b: 'stranger' })
    const [problem] = rig.supervisor.cluster.problems
    assert.deepEqual([problem?.code, problem?.severity], ['ADDRESS_CLUSTERS_DIFFER', 'error'])
    assert.match(problem?.message ?? '', /^b-store belongs to another cluster/)
    b.script = ['unreachable']
    await rig.clock.advance(4_000)
    assert.equal(rig.supervisor.cluster.problems.length, 1)
    b.script = ['works']
    b.standing = standingOf('b', standby)
    await rig.clock.advance(4_000)
    assert.deepEqual(rig.supervisor.cluster.problems, [])
    assert.equal(leftFor(rig), null)
  })

  test('several writable members without timelines are normal', async (t) => {
    const rig = await served(t, hostOf('a', { timeline: null }), hostOf('b', { timeline: null }))
    await rig.clock.advance(10_000)
    assert.deepEqual(rolesOf(rig), { a: 'serving', b: 'writable' })
    assert.equal(leftFor(rig), null)
  })

  test('a host that is away is silent, and is seen again when it is back', async (t) => {
    const [a, b] = [hostOf('a'), hostOf('b', standby)]
    const rig = await served(t, a, b)
    b.script = ['unreachable']
    await rig.clock.advance(2_000)
    assert.deepEqual(rolesOf(rig), { a: 'serving', b: 'silent' })
    b.script = ['works']
    await rig.clock.advance(2_000)
    assert.deepEqual(rolesOf(rig), { a: 'serving', b: 'standby' })
    const said = rig.seen.flatMap((seen) =>
      seen.type === 'cluster.host' && seen.label === 'b-store' ? [seen.role] : [],
    )
    assert.deepEqual(said, ['standby', 'silent', 'standby'])
  })
})

describe('behind one name', () => {
  test('a server without other members is not looked at', async (t) => {
    const alone = hostOf('a', { members: 1 })
    const rig = await served(t, alone)
    await rig.clock.advance(10_000)
    assert.deepEqual([alone.standingsAsked, rolesOf(rig)], [0, {}])
  })

  test('each look opens a connection of its own, which may lead to a server that was promoted', async (t) => {
    const balancer = hostOf('a')
    const rig = await served(t, balancer)
    const { opened } = balancer.calls
    await rig.clock.advance(4_000)
    assert.equal(balancer.calls.opened, opened + 2)
    balancer.standing = standingOf('b', { timeline: 5 })
    await rig.clock.advance(2_000)
    assert.equal(leftFor(rig), 'PRIMARY_ORPHANED')
    await rig.clock.advance(10_000)
  })

  test('a standby behind it is passed over, and a server that was restarted is the same primary', async (t) => {
    const balancer = hostOf('a')
    const rig = await served(t, balancer)
    balancer.standing = standingOf('b', standby)
    await rig.clock.advance(2_000)
    assert.deepEqual(rolesOf(rig), { a: 'standby' })
    balancer.standing = standingOf('restarted')
    await rig.clock.advance(4_000)
    assert.deepEqual([leftFor(rig), rolesOf(rig)], [null, { a: 'serving' }])
  })
})
