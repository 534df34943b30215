import assert from 'node:assert/strict'
import { isAbsolute } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { formatOrigin, type Problem } from '../config/problem.ts'
import { Secret } from '../config/secret.ts'
import { faultConditions } from '../config/settings.ts'
import type { Address, Parsed, Target } from '../driver/address.ts'
import { contractGeneration, driverDefects } from '../driver/define-driver.ts'
import { FaultError, type FaultKind, type Phase } from '../driver/fault.ts'
import { type Bench, freshTarget, urlAddress } from './bench.ts'
import { texts } from './texts.ts'

const phases: readonly Phase[] = ['open', 'begin', 'statement', 'commit', 'rollback', 'close']
const kinds: ReadonlySet<string> = new Set<FaultKind>([...faultConditions, 'constraint', 'statement'])

/** The total functions: shape, `parse`, `describe`, `classify`. */
export function conformAddresses(bench: () => Bench): void {
  test('has the shape of a driver of this contract generation', () => {
    const { driver } = bench()
    assert.deepEqual(driverDefects(driver), [])
    assert.equal(driver.contract, contractGeneration)
    for (const [key, setting] of Object.entries(driver.settings ?? {})) {
      assert.match(key, /^[a-zA-Z][a-zA-Z0-9]*$/)
      assert.ok(
        setting.env.startsWith(driver.name.toUpperCase().replaceAll('-', '_')),
        `${setting.env} names the driver`,
      )
    }
  })

  test('parses the address of an empty database without an error', async () => {
    const { driver, harness, settings } = bench()
    const parsed = driver.parse(urlAddress(bench(), await harness.address()), settings)
    assert.ok(parsed.target)
    assert.equal(parsed.target.driver, driver.name)
    assert.deepEqual(
      parsed.problems.filter((problem) => problem.severity === 'error'),
      [],
    )
  })

  test('parses any text without throwing, to a target or to problems', () => {
    const { driver, settings } = bench()
    const prefixes = ['', ...driver.schemes.flatMap((scheme) => [`${scheme}:`, `${scheme}://`, `${scheme}:///`])]
    for (const prefix of prefixes) {
      for (const role of ['primary', 'fallback'] as const) {
        for (const text of texts(100)) {
          assertParsed(driver.parse({ ...urlAddress(bench(), prefix + text), role }, settings))
        }
      }
    }
  })

  test('parses any parts without throwing, to a target or to problems', () => {
    const { driver, settings } = bench()
    const words = [null, ...texts(200)]
    const ports = [null, 0, 1, 65_536, -1, Number.NaN, 0.5]
    for (const [index, name] of words.entries()) {
      const word = (shift: number): string | null => words[(index * 7 + shift) % words.length] ?? null
      const secret = word(3)
      const parts = { host: word(1), port: ports[index % ports.length] ?? null, username: word(2), name }
      const password = secret === null ? null : new Secret(secret)
      assertParsed(driver.parse(partsAddress(bench(), { ...parts, password }), settings))
    }
  })

  test('never shows a password, in a problem, a target or a label', () => {
    const { driver, settings } = bench()
    const password = 'c0rrect-h0rse'
    const pasted = driver.schemes.flatMap((scheme) => [
      `${scheme}://user:${password}@host:1/name?x=1`,
      `${scheme}://user:${password}@host:99999999/name`,
      `${scheme}:///user:${password}@/name`,
      `${scheme}://user:${password}@[:/?`,
    ])
    const addresses: readonly Address[] = [
      ...pasted.map((text) => urlAddress(bench(), text)),
      partsAddress(bench(), { host: 'host', port: 1, username: 'u', password: new Secret(password), name: 'name' }),
    ]
    for (const address of addresses) {
      const { target, problems } = driver.parse(address, settings)
      assert.ok(!JSON.stringify(problems).includes(password))
      if (target === undefined) continue
      assert.ok(!inspect(shownOf(target), { depth: 9 }).includes(password))
      assert.ok(!driver.describe(target).includes(password))
    }
  })

  test('gives the same target and the same label for the same address', async () => {
    const { driver, harness, settings } = bench()
    const address = urlAddress(bench(), await harness.address())
    const [first, second] = [driver.parse(address, settings).target, driver.parse(address, settings).target]
    assert.ok(first && second)
    assert.equal(first.id, second.id)
    assert.equal(driver.describe(first), driver.describe(second))
    const other = await freshTarget(bench())
    assert.notEqual(other.id, first.id)
  })

  test('classifies any thrown value, and the same value always the same', () => {
    const { driver } = bench()
    const trap = new Proxy(new Error('trap'), {
      get: () => {
        throw new Error('a getter that throws')
      },
      has: () => {
        throw new Error('a trap that throws')
      },
    })
    for (const error of [...oddValues, trap, ...texts(100).map((text) => new Error(text))]) {
      for (const phase of phases) {
        const fault = driver.classify(error, phase)
        assert.ok(kinds.has(fault.kind))
        assert.ok(fault.code !== '' && fault.summary !== '' && fault.hint !== '')
        assert.ok(!fault.ambiguous || phase === 'commit')
        assert.ok(!fault.ambiguous || fault.undone !== true, 'what may be committed was not undone')
        const again = driver.classify(error, phase)
        assert.deepEqual([again.kind, again.code, again.ambiguous], [fault.kind, fault.code, fault.ambiguous])
      }
    }
  })

  test('returns the fault of a thrown FaultError unchanged', () => {
    const { driver } = bench()
    const fault = { kind: 'disk-full', code: 'X', summary: 's', hint: 'h', ambiguous: false, cause: null } as const
    assert.equal(driver.classify(new FaultError(fault), 'statement').kind, 'disk-full')
    assert.equal(driver.classify(new Error('around', { cause: new FaultError(fault) }), 'statement').kind, 'disk-full')
  })

  test('names absolute files when it is embedded', async (t) => {
    const { driver } = bench()
    if (driver.embedded === undefined) return t.skip('the driver has no facet "embedded"')
    const files = driver.embedded.files(await freshTarget(bench()))
    assert.ok(files.length > 0)
    for (const file of files) assert.ok(isAbsolute(file))
  })
}

const looped: { self?: unknown } = {}
looped.self = looped
const circular = new Error('circular')
circular.cause = circular

/** What a careless `throw` may throw. */
const oddValues: readonly unknown[] = [
  undefined,
  null,
  0,
  Number.NaN,
  1n,
  true,
  '',
  'text',
  Symbol('thrown'),
  () => {},
  [],
  {},
  looped,
  circular,
  Object.create(null),
  { code: 1, message: {} },
  { code: 'TOTALLY_UNKNOWN', message: 'x' },
  Object.assign(new Error('coded'), { code: '__proto__' }),
]

type Parts = Omit<Extract<Address, { form: 'parts' }>, 'form' | 'role' | 'setting' | 'origin' | 'folders'>

function partsAddress(bench: Bench, parts: Parts): Address {
  return {
    form: 'parts',
    role: 'primary',
    setting: 'database.host',
    origin: { from: 'environment', name: 'DATABASE_HOST' },
    folders: [bench.folder],
    ...parts,
  }
}

function shownOf({ driver, id, host, port, database, user, tls }: Target): unknown {
  return { driver, id, host, port, database, user, tls }
}

function assertParsed(parsed: Parsed<Target>): void {
  if (parsed.target === undefined) assert.ok(parsed.problems.length > 0)
  for (const problem of parsed.problems) assertProblem(problem)
}

function assertProblem(problem: Problem): void {
  assert.match(problem.code, /^[A-Z][A-Z0-9_]*$/)
  assert.ok(problem.setting !== '' && problem.message !== '' && problem.suggestion !== '')
  if (problem.origin !== null) assert.notEqual(formatOrigin(problem.origin), '')
}
