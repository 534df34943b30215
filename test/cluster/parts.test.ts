import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { repository } from '../support/process.ts'
import { eventNames } from './cluster-kind.ts'
import { figuresOf } from './figures.ts'
import { galeraEvents } from './galera/events.ts'
import type { GaleraCluster } from './galera/galera-cluster.ts'
import { judgeCluster, missingOf } from './judge/judge.ts'
import { ownPart, servicePart } from './judge/measure.ts'
import { type Change, type ChangeEnding, Ledger } from './load/ledger.ts'
import { endingOf } from './load/writer.ts'
import { type Beat, longestGap } from './member/pulse.ts'
import { readClusterOptions, usage } from './options.ts'
import { haproxyConfig, patroniConfig } from './patroni/config.ts'
import { patroniEvents } from './patroni/events.ts'
import type { PatroniCluster } from './patroni/patroni-cluster.ts'
import { positionOf } from './patroni/patroni-member.ts'
import { markdownOf, withRun, wrongIn } from './report.ts'
import { missingFor } from './requirement.ts'

const ports = { server: 1, serverProxy: 2, agent: 3, agentProxy: 4, etcdProxy: 5 }

function change(kind: Change['kind'], value: number, ending: ChangeEnding, doneMs = 0, durability = 'primary'): Change {
  return { kind, value, ending, doneMs, durability, sentMs: doneMs, service: 0 }
}

function beat(doneMs: number, position: bigint, timeline = 1, member = 0): Beat {
  return { member, timeline, position, sentMs: doneMs, doneMs }
}

describe('npm run cluster', () => {
  test('says what a machine lacks, with the packages that have it', () => {
    assert.equal(
      missingFor('galera', (_, name) => (name === 'libgalera_smm.so' ? null : `/usr/bin/${name}`)),
      'Missing for galera: libgalera_smm.so (galera-4). On Debian: apt-get install --no-install-recommends galera-4.',
    )
    assert.match(
      missingFor('patroni', () => null) ?? '',
      /patroni \(patroni\), etcd \(etcd-server\), haproxy \(haproxy\)/,
    )
    assert.match(
      missingFor('galera', () => null) ?? '',
      /wsrep_sst scripts alone are enough: apt-get download mariadb-server/,
    )
    assert.equal(
      missingFor('patroni', () => '/there'),
      null,
    )
  })

  test('refuses what it does not know, in a sentence, before anything is started', () => {
    const file = join(repository, 'test/cluster/cluster.ts')
    const { status, stderr } = spawnSync(process.execPath, [file, 'mongodb'], { encoding: 'utf8' })
    assert.deepEqual([status, stderr], [2, 'Name one cluster: patroni or galera. --help shows the options.\n'])
    assert.throws(
      () => readClusterOptions(['patroni', '--events', 'switchover,nonsense']),
      /--events takes names of sw/,
    )
    assert.throws(() => readClusterOptions(['patroni', '--minutes', '0']), /--minutes takes a number above 0/)
    assert.throws(() => readClusterOptions(['galera', '--layouts', 'haproxy']), /--layouts takes names of hosts/)
  })

  test('prints its options for --help, every fault among them', () => {
    assert.equal(readClusterOptions(['--help']), null)
    for (const name of [...eventNames.patroni, ...eventNames.galera]) assert.match(usage, new RegExp(`\\b${name}\\b`))
    // Nothing is asked of the cluster before a fault begins.
    const [patroni, galera] = [{} as PatroniCluster, {} as GaleraCluster]
    assert.deepEqual(
      patroniEvents(patroni).map(({ name }) => name),
      eventNames.patroni,
    )
    assert.deepEqual(
      galeraEvents(galera).map(({ name }) => name),
      eventNames.galera,
    )
  })

  test('reads its options', () => {
    assert.deepEqual(
      readClusterOptions([
        'patroni',
        '--minutes',
        '5',
        '--events',
        'isolate,kill-both',
        '--layouts',
        'haproxy',
        '--json',
        'x',
      ]),
      {
        ...{ kind: 'patroni', minutes: 5, events: ['kill-both', 'isolate'], layouts: ['haproxy'], json: 'x' },
        ...{ readme: false, logs: null },
      },
    )
  })

  test('gives every member its own ports, and HAProxy the lines that end what is marked down', () => {
    const config = JSON.parse(patroniConfig('m1', '/data', ports, '/bin'))
    assert.equal(config.postgresql.listen, '127.0.0.1:1')
    assert.equal(config.postgresql.connect_address, '127.0.0.1:2')
    assert.deepEqual(config.etcd3, { hosts: '127.0.0.1:5', use_proxies: true })
    const { ttl, loop_wait, retry_timeout } = config.bootstrap.dcs
    assert.ok(ttl >= loop_wait + 2 * retry_timeout, 'as Patroni demands')
    const lines = haproxyConfig('/data', 6, [ports])
    assert.match(lines, /inter 1s fall 2 rise 1 on-marked-down shutdown-sessions/)
    assert.match(lines, /server m1 127\.0\.0\.1:2 check port 4/)
  })
})

describe('the judge of a cluster', () => {
  const row = (...changes: Change[]) => ({ token: 'a', id: '1', changes })

  test('misses what was acknowledged after the state that a row has', () => {
    const made = change('create', 0, 'acknowledged')
    const changed = change('change', 1, 'acknowledged')
    const unknown = change('change', 2, 'unknown')
    const refused = change('change', 3, 'refused')
    const removed = change('remove', 0, 'acknowledged')
    assert.deepEqual(missingOf(row(made, changed), 1), [])
    assert.deepEqual(missingOf(row(made, changed), 0), [changed])
    assert.deepEqual(missingOf(row(made, changed), null), [made, changed])
    assert.deepEqual(missingOf(row(made, refused), 3), [made])
    assert.deepEqual(missingOf(row(made, unknown), 0), [])
    assert.deepEqual(missingOf(row(made, unknown), 2), [])
    assert.deepEqual(missingOf(row(made, removed), null), [])
    assert.deepEqual(missingOf(row(made, removed), 0), [removed])
  })

  test('tells what the cluster lost beyond the end of a timeline from what it kept', () => {
    const ledger = new Ledger()
    for (const [token, doneMs, durability] of [
      ['kept', 100, 'primary'],
      ['beyond', 200, 'primary'],
      ['journaled', 200, 'journal'],
    ] as const) {
      ledger.row(token).changes.push(change('create', 0, 'acknowledged', doneMs, durability))
    }
    const beats = [beat(150, 10n), beat(250, 30n)]
    const evidence = { rows: [], parked: new Set<string>(), beats, forks: new Map([[1, 20n]]) }
    const { lost, lostByCluster, acknowledged } = judgeCluster(ledger, evidence)
    assert.deepEqual(
      lost.map(({ token }) => token),
      ['kept', 'journaled'],
    )
    assert.deepEqual(
      lostByCluster.map(({ token }) => token),
      ['beyond'],
    )
    assert.equal(acknowledged, 3)
  })

  test('tells what was lost with a branch that the cluster gave up from what an orphan does next to it', () => {
    const verdictOf = (beats: readonly Beat[]) => {
      const ledger = new Ledger()
      ledger.row('a').changes.push(change('create', 0, 'acknowledged', 5_000))
      return judgeCluster(ledger, { rows: [], parked: new Set(), beats, forks: new Map() })
    }
    const both = [beat(4_900, 9n, 5), beat(4_950, 9n, 6, 1), beat(5_100, 9n, 6, 1), beat(6_000, 9n, 5)]
    assert.equal(verdictOf([...both, beat(9_000, 9n, 5)]).lostByCluster.length, 1)
    assert.equal(verdictOf([...both, beat(7_000, 9n, 6, 1), beat(9_000, 9n, 5), beat(9_100, 9n, 6, 1)]).lost.length, 1)
  })

  test('finds rows that are there twice, counts the parked, and adds up the increments', () => {
    const ledger = new Ledger()
    Object.assign(ledger.row('parked'), { id: 'p' }).changes.push(change('create', 0, 'acknowledged'))
    ledger.counters.push({ id: 'c', acknowledged: 2, unknown: 1 }, { id: 'd', acknowledged: 2, unknown: 1 })
    const rows = [
      { id: '1', token: 'twice', value: 0 },
      { id: '2', token: 'twice', value: 0 },
      { id: 'c', token: 'counter-0', value: 3 },
      { id: 'd', token: 'counter-1', value: 1 },
    ]
    const verdict = judgeCluster(ledger, { rows, parked: new Set(['p']), beats: [], forks: new Map() })
    assert.deepEqual(verdict.doubled, ['twice'])
    assert.equal(verdict.parked, 1)
    assert.deepEqual(verdict.lost, [])
    assert.deepEqual(verdict.miscounted, ['d: 1, not 2 to 3'])
  })

  test('reads a place in the log, and what an answer says of a write', () => {
    assert.equal(positionOf('1/10'), 0x1_0000_0010n)
    assert.equal(endingOf(201, null), 'acknowledged')
    assert.equal(endingOf(503, 'COMMIT_UNKNOWN'), 'unknown')
    assert.equal(endingOf(0, null), 'unknown')
    assert.equal(endingOf(503, 'STORE_LOST'), 'refused')
  })
})

describe('the measures of a fault', () => {
  const times = { name: 'x', beganMs: 1_000, endedMs: 3_000, member: 0 }

  test('a gap is the longest time between two writes, or to the end', () => {
    assert.deepEqual(longestGap([900, 1_100, 1_700, 2_900], 1_000, 3_000), { ms: 1_200, endMs: 2_900 })
    assert.deepEqual(longestGap([900, 1_100], 1_000, 3_000), { ms: 1_900, endMs: 3_000 })
    assert.deepEqual(longestGap([], 1_000, 3_000), { ms: 0, endMs: 1_000 })
  })

  test('the cluster of one primary is ready when another member takes a write, one of many as soon as one goes on', () => {
    const beats = [beat(990, 1n), beat(1_010, 2n), beat(1_500, 3n, 2, 1), beat(2_990, 4n, 2, 1)]
    assert.equal(ownPart(beats, times, true).readyMs, 1_500)
    const others = [beat(990, 0n, 1, 1), beat(2_000, 0n, 1, 1), beat(2_990, 0n, 1, 1), beat(990, 0n, 1, 2)]
    assert.deepEqual(ownPart(others, times, false), { gapMs: 1_010, readyMs: 2_000 })
  })

  test('a service has the answers of its clients, and is not back with what an orphan acknowledged', () => {
    const answer = (
      sentMs: number,
      doneMs: number,
      status: number,
      code: string | null,
      durability: string | null,
    ) => ({
      ...{ service: 0, method: 'POST', sentMs, doneMs, status, code, store: null, durability },
    })
    const answers = [
      answer(980, 990, 201, null, 'primary'),
      answer(1_000, 1_400, 201, null, 'primary'),
      answer(1_400, 1_450, 503, 'STORE_LOST', null),
      answer(1_450, 1_460, 201, null, 'journal'),
      answer(1_460, 1_600, 201, null, 'primary'),
      answer(2_000, 2_100, 201, null, 'primary'),
      answer(2_200, 2_210, 503, 'STORE_READ_ONLY', null),
    ]
    const lost = [{ token: 'a', change: change('create', 0, 'acknowledged', 1_600) }]
    const part = servicePart(0, answers, lost, times, { gapMs: 500, readyMs: 1_500 })
    assert.deepEqual(part, {
      ...{
        service: 0,
        gapMs: 900,
        backMs: 600,
        heldMs: 400,
        failed: { STORE_LOST: 1, STORE_READ_ONLY: 1 },
        requests: 6,
      },
      ...{ fallbackWrites: 1, lostByCluster: 1, orphanMs: 100, readOnlyAfter: 1 },
    })
  })

  test('figures have the goals of the project, and say which are missed', () => {
    const part = { service: 0, gapMs: 1_500, backMs: 400, heldMs: 1_400, failed: {}, requests: 9 }
    const rest = { fallbackWrites: 0, lostByCluster: 0, orphanMs: 2_600, readOnlyAfter: 1 }
    const run = { what: '', own: { gapMs: 1_000, readyMs: 0 }, services: [{ ...part, ...rest }], stuck: null }
    const runs = ['switchover', 'kill-both', 'kill-agent', 'shutdown', 'kill'].map((name) => ({ ...run, name }))
    const verdict = { acknowledged: 0, lost: [], lostByCluster: [], doubled: [], parked: 0, miscounted: [] }
    const all = { runs, verdict, codes: {}, logged: {}, missingSaid: 0, idlePercent: 0 }
    const shown = (kind: 'patroni' | 'galera', layout: 'hosts' | 'haproxy') =>
      figuresOf(kind, { ...all, layout }).map(({ value, isMet }) => `${value} ${isMet}`)
    assert.deepEqual(shown('patroni', 'hosts'), [
      ...['0 true', '0 true', '400 ms (400 to 400) false', '400 ms (400 to 400) true', '2600 ms (2600 to 2600) false'],
    ])
    assert.deepEqual(shown('patroni', 'haproxy'), ['0 true', '0 true', '5 false'])
    assert.deepEqual(shown('galera', 'hosts').slice(3), ['500 ms (500 to 500) true', '0 true'])
  })

  test('a report has a line for each event, and says what is wrong', () => {
    const service = { service: 0, gapMs: 5, backMs: Number.NaN, heldMs: 7, failed: { STORE_LOST: 2 }, requests: 9 }
    const part = { ...service, fallbackWrites: 3, lostByCluster: 0, orphanMs: 0, readOnlyAfter: 0 }
    const run = { name: 'kill', what: 'SIGKILL', own: { gapMs: 4, readyMs: 0 }, services: [part], stuck: 'no leader' }
    const lost = [{ token: 'a', change: change('create', 0, 'acknowledged') }]
    const verdict = { acknowledged: 9, lost, lostByCluster: [], doubled: [], parked: 0, miscounted: [] }
    const more = { codes: { 'PATCH 500 INTERNAL_ERROR': 1 }, logged: {}, missingSaid: 0, idlePercent: 1 }
    const layout = { layout: 'hosts', runs: [run], verdict, ...more } as const
    const report = { at: '2026-01-02T03:04:05Z', kind: 'patroni', versions: ['X 1'], layouts: [layout] } as const
    const markdown = markdownOf(report)
    assert.match(
      markdown,
      /\| kill: SIGKILL \| 1 \(1 did not come back\) \| 4 \| 5 \| - \| 7 \| 2 `STORE_LOST` \| 3 \| 0 \|/,
    )
    assert.deepEqual(
      wrongIn(report).map((line) => line.replace(/ \(\{.*/, '')),
      ['hosts: a lost', 'hosts: 1 answers PATCH 500 INTERNAL_ERROR', 'hosts, kill: no leader'],
    )
    const text = 'a\n<!-- run: made by npm run cluster -->\nold\n<!-- end of run -->\nb'
    assert.equal(withRun(text, 'new'), text.replace('old', 'new'))
    assert.throws(() => withRun('a', 'new'), /markers/)
  })
})
