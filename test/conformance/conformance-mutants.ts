import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import good from '../../plugins/sqlite/sqlite.ts'
import { conform } from '../../src/conformance/conformance.ts'
import type { Candidate, Driver, Engine } from '../../src/driver/driver.ts'
import type { ArchiveSource } from '../../src/driver/facet/archive.ts'
import type { Journal } from '../../src/driver/facet/journal.ts'
import type { Statements } from '../../src/driver/facet/statements.ts'
import type { MikroORM } from '../../src/driver/orm.ts'

/** The house's SQLite, broken in one way each; run by conformance.test.ts with the suite. */
const base = good as unknown as Driver // Its target is its own; the suite only hands it back.

const mutants: Readonly<Record<string, Partial<Driver>>> = {
  none: {},
  'parse that throws': {
    parse() {
      throw new Error('careless')
    },
  },
  'label with the password': { describe: () => 'user:c0rrect-h0rse' },
  'classify that throws': {
    classify(error, phase) {
      if (error === null) throw new Error('careless')
      return base.classify(error, phase)
    },
  },
  'every error is lost': { classify: (error, phase) => ({ ...base.classify(error, phase), kind: 'lost' }) },
  'a read-only that is none': engines(() => ({ setReadOnly: () => {} })),
  'evict that throws': candidates((candidate) => ({
    open: async (signal) => {
      const connection = await candidate.open(signal)
      return {
        verify: (want, inner) => connection.verify(want, inner),
        close: () => connection.close(),
        evict() {
          throw new Error('careless')
        },
      }
    },
  })),
  'a position that stands still': candidates((candidate) => ({
    open: async (signal) => {
      const connection = await candidate.open(signal)
      const standing = { cluster: 'c', server: 's', isWritable: true, timeline: 1, position: 1n, members: 1 }
      return {
        verify: async (want, inner) => ({ ...(await connection.verify(want, inner)), standing }),
        standing: async (inner) => {
          inner.throwIfAborted()
          return standing
        },
        close: () => connection.close(),
        evict: () => connection.evict(),
      }
    },
  })),
  'connect that opens': {
    async connect(target, limits) {
      for (const path of base.embedded?.files(target) ?? []) {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, '')
      }
      return base.connect(target, limits)
    },
  },
  'close that does nothing': engines(() => ({ close: async () => {} })),
  'echo with values': {
    connect: (target, limits) => {
      const { echo, ...others } = limits
      if (echo === undefined) return base.connect(target, limits)
      return base.connect(target, { ...others, echo: (sql) => echo(`${sql} -- a-private-value`) })
    },
  },
  'writes that are not atomic': runners((runner) => {
    let last: Promise<unknown> = Promise.resolve()
    return {
      ...runner,
      async write(sql, values) {
        // As if one group failed or succeeded as a whole.
        const own = runner.write(sql, values)
        const both = Promise.all([last, own])
        last = own.catch((error: unknown) => Promise.reject(error))
        last.catch(() => {})
        await both
        return own
      },
    }
  }),
  'several commands in one text': runners((runner) => ({
    ...runner,
    async write(sql, values) {
      const [first = '', ...more] = sql.split(';')
      const written = await runner.write(first, values)
      for (const text of more) await runner.write(text, [])
      return written
    },
  })),
  'reads outside of the transaction': runners((runner) => ({
    ...runner,
    read: async (sql, values) => (await runner.read(sql, values)).filter(({ id }) => id !== 'entity'),
  })),
  'a journal that rounds': journals((journal) => ({
    waiting: async (after, limit) =>
      (await journal.waiting(after, limit)).map((entry) => {
        const whole = entry.new?.whole
        return whole == null ? entry : { ...entry, new: { ...entry.new, whole: String(Number(whole)) } }
      }),
  })),
  'one attempt for two transactions': journals((journal) => ({
    async waiting(after, limit) {
      const entries = await journal.waiting(after, limit)
      return entries.map((entry) => ({ ...entry, attempt: entries[0]?.attempt ?? '' }))
    },
  })),
  'half a transaction': journals((journal) => ({
    waiting: async (after, limit) => (await journal.waiting(after, limit)).slice(0, limit),
  })),
  'an archive of half a transaction': journals((journal) => ({
    async synced(after, maxBytes) {
      const portion = await journal.synced(after, maxBytes)
      return portion === null || maxBytes > 1 ? portion : { ...portion, entries: portion.entries.slice(0, 1) }
    },
  })),
  'an archive of one primary alone': journals((journal) => ({
    async synced(after, maxBytes) {
      const portion = await journal.synced(after, maxBytes)
      const isHere = portion?.identity === journal.identity
      return portion === null || isHere
        ? portion
        : await journal.synced(portion.entries.at(-1)?.sequence ?? 0, maxBytes)
    },
  })),
  'a journal that never rests': journals((journal) => ({
    serve: () => journal.serve(true),
    rest: async () => {},
  })),
  'a switch that does not wait for the writer': journals((journal) => ({
    rest: async () => journal.serve(false),
  })),
  'stale triggers': journals(() => ({ triggerChanges: async () => [] })),
  'a journal without a limit': journals(() => ({ setLimit: () => {} })),
  'entries for whichever primary': journals((journal) => ({
    async address(identity, label) {
      if (journal.identity === null) await journal.address(identity, label)
    },
  })),
  'waiting rows that are removed': journals((journal) => ({
    async removeCarried(tables) {
      await journal.carried((await journal.waiting(0, 10_000)).map(({ sequence }) => sequence))
      await journal.removeCarried(tables)
    },
  })),
  'a cut that is never repeated but lost': archives((source) => {
    let cuts = 0
    return {
      async cut(maxBytes) {
        cuts += 1
        const cut = await source.cut(maxBytes)
        return cuts === 2 ? await source.cut(maxBytes) : cut
      },
    }
  }),
  'parts of a transaction that look whole': archives((source) => ({
    async cut(maxBytes) {
      const cut = await source.cut(maxBytes)
      return cut === null ? null : { ...cut, isWhole: true }
    },
  })),
  'a checkpoint before the rest is kept': archives((source) => ({
    async checkpoint(keep) {
      const position = await source.checkpoint(async () => {})
      await keep([])
      return position
    },
  })),
  'a snapshot of a later moment': archives((source) => ({
    async snapshot(into, keep, signal, copied) {
      const first = await source.snapshot(`${into}-first`, keep, signal)
      await setTimeout(200)
      return first === null ? null : await source.snapshot(into, async () => {}, signal, copied)
    },
  })),
  'a place that is believed': archives((source) => ({
    async begin(position) {
      await source.begin(position)
      return true
    },
  })),
  'schema lock for all': engines(() => ({
    schemaLock: (orm) => ({ hold: async (_signal, change) => change(orm.em.fork()) }),
  })),
}

/** The base with other candidates; the members of classes are on their prototypes, so each is named. */
function candidates(change: (candidate: Candidate) => Partial<Candidate>): Partial<Driver> {
  return {
    connect: async (target, limits) =>
      (await base.connect(target, limits)).map((candidate) => ({
        label: candidate.label,
        open: (signal) => candidate.open(signal),
        engine: (facts) => candidate.engine(facts),
        ...change(candidate),
      })),
  }
}

function engines(change: (engine: Engine) => Partial<Engine>): Partial<Driver> {
  return candidates((candidate) => ({
    engine(facts) {
      const engine = candidate.engine(facts)
      return {
        ormOptions: engine.ormOptions,
        statements: (orm) => statementsOf(engine, orm),
        schemaLock: (orm) => engine.schemaLock?.(orm) ?? assert.fail('SQLite has a lock'),
        journal: (orm) => engine.journal?.(orm) ?? null,
        archive: (orm) => engine.archive?.(orm) ?? null,
        setReadOnly: (orm, on) => engine.setReadOnly?.(orm, on),
        close: (orm, withinMs) => engine.close(orm, withinMs),
        ...change(engine),
      }
    },
  }))
}

function archives(change: (source: ArchiveSource) => Partial<ArchiveSource>): Partial<Driver> {
  return engines((engine) => ({
    archive(orm) {
      const source = engine.archive?.(orm) ?? null
      return source === null ? null : overlaid(source, change(source))
    },
  }))
}

function journals(change: (journal: Journal) => Partial<Journal>): Partial<Driver> {
  return engines((engine) => ({
    journal(orm) {
      const journal = engine.journal?.(orm) ?? null
      return journal === null ? null : overlaid(journal, change(journal))
    },
  }))
}

/** A facet with other members; the rest keep their own `this`. */
function overlaid<F extends object>(facet: F, own: Partial<F>): F {
  return new Proxy(facet, {
    get(target, name) {
      const value: unknown = name in own ? Reflect.get(own, name) : Reflect.get(target, name, target)
      return typeof value === 'function' && !(name in own) ? value.bind(target) : value
    },
  })
}

function runners(change: (runner: Statements) => Statements): Partial<Driver> {
  return engines((engine) => {
    let made: Statements | null = null
    return {
      statements(orm) {
        made ??= change(statementsOf(engine, orm))
        return made
      },
    }
  })
}

function statementsOf(engine: Engine, orm: MikroORM): Statements {
  return engine.statements?.(orm) ?? assert.fail('SQLite has statements')
}

const mutant = mutants[process.env.MUTANT ?? 'none']
if (mutant === undefined) throw new Error(`There is no mutant "${process.env.MUTANT}".`)
conform({ ...base, ...mutant }, { address: async () => `sqlite:///./${randomUUID()}.db` })
