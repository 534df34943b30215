import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Driver } from '../../src/driver/driver.ts'
import { DriverRegistry } from '../../src/driver/registry.ts'

function plain(name: string, schemes: readonly string[], more: Partial<Driver> = {}): Driver {
  return {
    contract: 1,
    name,
    schemes,
    parse: () => {
      throw new Error('not parsed here')
    },
    describe: () => name,
    classify: (cause) => ({ kind: 'statement', code: 'X', summary: 'x', hint: 'x', ambiguous: false, cause }),
    connect: async () => [],
    ...more,
  }
}

describe('the driver registry', () => {
  it('finds a driver by name and by any of its schemes, in upper case too', () => {
    const registry = new DriverRegistry()
    const driver = plain('duck', ['duck', 'duckdb'])
    assert.equal(registry.register(driver), null)
    assert.equal(registry.byName('duck'), driver)
    assert.equal(registry.byScheme('DuckDB'), driver)
    assert.equal(registry.byScheme('goose'), null)
    assert.deepEqual(registry.all, [driver])
  })

  it('lets a driver serve the schemes that it accepts only where it is named', () => {
    const registry = new DriverRegistry()
    const postgres = plain('postgresql', ['postgres', 'postgresql'])
    const neon = plain('neon', ['neon'], { accepts: ['postgresql'] })
    registry.register(postgres)
    registry.register(neon)
    assert.equal(registry.byScheme('postgresql'), postgres)
    assert.equal(registry.accepting('postgresql', 'neon'), neon)
    assert.equal(registry.accepting('postgres', 'neon'), null)
    assert.equal(registry.accepting('neon', 'neon'), neon)
    assert.equal(registry.accepting('postgresql', 'nobody'), null)
  })

  const sqlite = plain('sqlite', ['sqlite', 'file'], { exclusive: 'sqlite' })
  const refusals: readonly [string, unknown, string, RegExp][] = [
    [
      'a second driver of one name',
      plain('sqlite', ['other']),
      'DRIVER_NAME_TAKEN',
      /second driver with the name "sqlite"/,
    ],
    ['a second driver for one scheme', plain('files', ['file']), 'DRIVER_SCHEME_TAKEN', /"file".*"sqlite"/],
    [
      'a second SQLite implementation',
      plain('libsql', ['libsql'], { exclusive: 'sqlite' }),
      'DRIVER_EXCLUSIVE_TAKEN',
      /second "sqlite"/,
    ],
    [
      'an unknown generation of the contract, whatever else the driver has',
      { contract: 2, name: 'next' },
      'DRIVER_CONTRACT_UNSUPPORTED',
      /generation 2/,
    ],
    ['something that is no object', null, 'DRIVER_INVALID', /not an object/],
    ['a driver without connect', { ...plain('half', ['half']), connect: undefined }, 'DRIVER_INVALID', /"connect"/],
    ['a scheme with a colon', plain('colon', ['colon:']), 'DRIVER_INVALID', /"schemes"/],
    ['a name in capitals', plain('Loud', ['loud']), 'DRIVER_INVALID', /"name"/],
    ['accepts that is no list', { ...plain('a', ['a']), accepts: 'sqlite' }, 'DRIVER_INVALID', /"accepts"/],
    ['a facet that can do nothing', { ...plain('a', ['a']), embedded: {} }, 'DRIVER_INVALID', /"embedded".*"files"/],
    [
      'a member that throws when it is read',
      Object.defineProperty({ ...plain('a', ['a']) }, 'parse', {
        get: () => {
          throw new Error('trap')
        },
      }),
      'DRIVER_INVALID',
      /throws/,
    ],
  ]
  for (const [title, given, code, message] of refusals) {
    it(`refuses ${title} with a problem and stays as it was`, () => {
      const registry = new DriverRegistry()
      assert.equal(registry.register(sqlite), null)
      const problem = registry.register(given, {
        given: 'the-plugin',
        origin: { from: 'environment', name: 'DRIVERS' },
      })
      assert.equal(problem?.code, code)
      assert.equal(problem?.severity, 'error')
      assert.equal(problem?.setting, 'drivers')
      assert.equal(problem?.part, 'the-plugin')
      assert.match(problem?.message ?? '', message)
      assert.ok((problem?.suggestion ?? '').length > 10)
      assert.deepEqual(registry.all, [sqlite])
    })
  }
})
