import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import good from '../../plugins/sqlite/sqlite.ts'
import { conform } from '../../src/conformance/conformance.ts'
import type { Candidate, Driver, Limits, StatementRunner, Target } from '../../src/driver/driver.ts'

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
  'a read-only that is none': { setReadOnly: () => {} },
  'evict that throws': {
    evict() {
      throw new Error('careless')
    },
  },
  'connect that opens': {
    async connect(target, limits) {
      for (const path of base.embedded?.files(target) ?? []) {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, '')
      }
      return base.connect(target, limits)
    },
  },
  'close that does nothing': { connect: changed(base, (candidate) => ({ close: async () => void candidate })) },
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
  'reads outside of the transaction': runners((runner) => ({
    ...runner,
    read: async (sql, values) => (await runner.read(sql, values)).filter(({ id }) => id !== 'entity'),
  })),
  'schema lock for all': { schemaLock: { hold: async (orm, _signal, change) => change(orm.em.fork()) } },
}

function changed(driver: Driver, change: (candidate: Candidate) => Partial<Candidate>): Driver['connect'] {
  return async (target: Target, limits: Limits) => {
    const candidates = await driver.connect(target, limits)
    return candidates.map((candidate) => ({
      label: candidate.label,
      open: (signal) => candidate.open(signal),
      orm: (facts) => candidate.orm(facts),
      close: (orm, withinMs) => candidate.close(orm, withinMs),
      ...change(candidate),
    }))
  }
}

function runners(change: (runner: StatementRunner) => StatementRunner): Partial<Driver> {
  const made = new WeakMap<object, StatementRunner>()
  return {
    statements: {
      bind(orm) {
        const known = made.get(orm)
        if (known !== undefined) return known
        if (base.statements === undefined) throw new Error('unreachable: SQLite has statements')
        const runner = change(base.statements.bind(orm))
        made.set(orm, runner)
        return runner
      },
    },
  }
}

const mutant = mutants[process.env.MUTANT ?? 'none']
if (mutant === undefined) throw new Error(`There is no mutant "${process.env.MUTANT}".`)
conform({ ...base, ...mutant }, { address: async () => `sqlite:///./${randomUUID()}.db` })
