import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { driver as sqlite } from '../../../plugins/sqlite/sqlite.ts'
import { readLayers } from '../../../src/config/layers.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import type { DatabaseConfig } from '../../../src/database/address/config.ts'
import { DatabaseUrlResolver } from '../../../src/database/address/resolver.ts'
import type { Address, Parsed, Target } from '../../../src/driver/address.ts'
import type { Driver } from '../../../src/driver/driver.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import fc from '../../support/property.ts'

let cwd = ''
before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'holdfast-resolver-'))
})
after(async () => {
  await rm(cwd, { recursive: true })
})

/** A kind of server, which leaks its whole address in each problem: what reaches the resolver must not. */
function server(name: string, schemes: readonly string[], more: Partial<Driver> = {}): Driver {
  return {
    contract: 1,
    name,
    schemes,
    parse: (address) => parseServer(name, address),
    describe: () => name,
    classify: (cause) => ({ kind: 'statement', code: 'X', summary: 'x', hint: 'x', ambiguous: false, cause }),
    connect: async () => [],
    ...more,
  }
}

function parseServer(driver: string, address: Address): Parsed<Target> {
  const problem = (message: string) => ({
    code: 'LEAKY',
    severity: 'error' as const,
    setting: address.setting,
    origin: address.origin,
    part: 'host',
    message,
    suggestion: message,
  })
  if (address.form === 'parts') {
    if (address.host === null) return { problems: [problem(`no host beside ${address.password?.reveal()}`)] }
    const { host, port, username: user, name: database } = address
    return { target: { driver, id: `${driver}:${host}`, host, port, database, user, tls: null }, problems: [] }
  }
  const text = address.text.reveal()
  if (!URL.canParse(text) || new URL(text).hostname === '') return { problems: [problem(`cannot read ${text}`)] }
  const { hostname: host, port, username, pathname } = new URL(text)
  const id = `${driver}:${host}${pathname}`
  const target = {
    driver,
    id,
    host,
    port: Number(port) || 5432,
    database: pathname.slice(1),
    user: username,
    tls: null,
  }
  return { target, problems: host === 'leaky' ? [{ ...problem(`read ${text}`), severity: 'warning' }] : [] }
}

/** A kind of file, as small as one can be. */
const files: Driver = server('files', ['sqlite', 'file'], {
  embedded: { files: (target) => [target.database ?? ''] },
  parse: (address) => {
    const name = address.form === 'url' ? address.text.reveal().replace(/^[a-z]+:(\/\/\/)?/i, '') : address.name
    const base = { code: 'FILES', severity: 'error', setting: address.setting, origin: address.origin } as const
    if (name === null || name === '' || name.includes('..')) {
      return { problems: [{ ...base, part: 'path', message: 'No such path.', suggestion: 'sqlite:///./x.db' }] }
    }
    const database = join(address.folders[0] ?? '/', name)
    return {
      target: { driver: 'files', id: `files:${database}`, host: null, port: null, database, user: null, tls: null },
      problems: [],
    }
  },
})

const postgres = server('postgresql', ['postgres', 'postgresql'])
const neon = server('neon', ['neon'], { accepts: ['postgresql'] })

async function resolveWith(env: Record<string, string>, drivers: readonly Driver[] = [files]): Promise<DatabaseConfig> {
  const registry = new DriverRegistry()
  for (const driver of drivers) assert.equal(registry.register(driver), null)
  const resolved = resolveSettings(await readLayers({ env, cwd }), {})
  return new DatabaseUrlResolver(registry).resolve(resolved, ['/data', '/elsewhere'])
}

const codes = (config: DatabaseConfig) => config.problems.map(({ code }) => code)

describe('the resolution of what is absent', () => {
  const absent: readonly [string, Record<string, string>][] = [
    ['nothing', {}],
    ['an empty value', { DATABASE_URL: '' }],
    ['blanks', { DATABASE_URL: ' \t\n ' }],
    ['null', { DATABASE_URL: 'null' }],
    ['undefined', { DATABASE_URL: 'undefined' }],
    ['None', { DATABASE_URL: 'None' }],
    ['NULL in quotes', { DATABASE_URL: '"NULL"' }],
    ['empty quotes', { DATABASE_URL: "''" }],
    ['its own name with nothing after it', { DATABASE_URL: 'DATABASE_URL=' }],
    ['a lone port of Kubernetes', { DATABASE_PORT: 'tcp://10.0.0.11:5432' }],
    ['a lone port', { DATABASE_PORT: '5432' }],
    ['blank parts', { DATABASE_HOST: 'null', DATABASE_DRIVER: 'None', DATABASE_NAME: ' ' }],
  ]
  for (const [title, env] of absent) {
    it(`takes ${title} for no primary, without a problem, and the local store is the database`, async () => {
      const config = await resolveWith(env)
      assert.equal(config.declared, false)
      assert.equal(config.primary, null)
      assert.equal(config.fallback?.target.database, '/data/production.db')
      assert.deepEqual(config.problems, [])
      assert.match(config.absence ?? '', /not set|blank/)
    })
  }

  it('keeps the local store when the fallback is switched off', async () => {
    const config = await resolveWith({ ENABLE_FALLBACK: 'false' })
    assert.equal(config.fallback?.target.database, '/data/production.db')
  })
})

describe('the resolution of a pasted address', () => {
  const secret = 'S3cr3t'
  const good = `postgresql://me:${secret}@db.example.com:5432/app`
  const repaired: readonly [string, string, readonly string[]][] = [
    ['as it is', good, []],
    ['double quotes', `"${good}"`, ['quotes']],
    ['a lone quote', `${good}'`, ['quotes']],
    ['typographic quotes', `“${good}”`, ['quotes']],
    ['its own name', `DATABASE_URL=${good}`, ['name']],
    ['export and quotes', `export DATABASE_URL="${good}"`, ['name', 'quotes']],
    ['a line of YAML', `DATABASE_URL: ${good}`, ['name']],
    ['psql and quotes', `psql '${good}'`, ['command']],
    ['psql with more behind it', `psql "${good}" -c 'select 1'`, ['command']],
    ['psql without quotes', `psql ${good}`, ['command']],
    ['blanks around', `  ${good} `, ['blanks']],
    ['a line end', `${good}\n`, ['blanks']],
    ['two lines', `postgresql://me:${secret}@db.exa\r\n  mple.com:5432/app`, ['newline']],
    ['a byte order mark', `\uFEFF${good}`, ['invisible']],
    ['angle brackets', `<${good}>`, ['brackets']],
    ['a semicolon', `${good};`, ['end']],
    ['jdbc', `jdbc:${good}`, ['jdbc']],
    [
      'all at once',
      `\uFEFF export DATABASE_URL='psql "${good}"'; \n`,
      ['invisible', 'blanks', 'name', 'quotes', 'command', 'end'],
    ],
  ]
  for (const [title, given, parts] of repaired) {
    it(`is read with ${title}, and each repair is said`, async () => {
      const config = await resolveWith({ DATABASE_URL: given }, [files, postgres])
      assert.equal(config.primary?.target.host, 'db.example.com')
      assert.equal(config.primary?.target.database, 'app')
      assert.deepEqual(config.problems.map(({ part }) => part).sort(), [...parts].sort())
      for (const problem of config.problems) {
        assert.equal(problem.code, 'ADDRESS_REPAIRED')
        assert.equal(problem.severity, problem.part === 'jdbc' ? 'info' : 'warning')
        assert.equal(problem.setting, 'database.url')
        assert.deepEqual(problem.origin, { from: 'environment', name: 'DATABASE_URL' })
        assert.equal(problem.suggestion, 'Write postgresql://me:***@db.example.com:5432/app')
      }
    })
  }

  const refused: readonly [string, string, string, RegExp][] = [
    [`\${DATABASE_URL}`, 'ADDRESS_PLACEHOLDER', 'address', /\$\{DATABASE_URL\}/],
    [`\${{Postgres.DATABASE_URL}}`, 'ADDRESS_PLACEHOLDER', 'address', /Postgres/],
    ['$DATABASE_URL', 'ADDRESS_PLACEHOLDER', 'address', /\$DATABASE_URL/],
    ['postgres://u:<password>@h/db', 'ADDRESS_PLACEHOLDER', 'password', /placeholder/],
    ['postgres://u:[YOUR-PASSWORD]@h/db', 'ADDRESS_PLACEHOLDER', 'password', /placeholder/],
    ['postgres://u:p@<host>/db', 'ADDRESS_PLACEHOLDER', 'address part', /<host>/],
    ['localhost:5432/db', 'ADDRESS_SCHEME_MISSING', 'scheme', /scheme/],
    [`me:${secret}@db:5432/app`, 'ADDRESS_SCHEME_MISSING', 'scheme', /scheme/],
    ['./app.db', 'ADDRESS_SCHEME_MISSING', 'scheme', /scheme/],
    [secret, 'ADDRESS_SCHEME_MISSING', 'scheme', /scheme/],
    ['sqllite:///./x.db', 'ADDRESS_SCHEME_UNKNOWN', 'scheme', /"sqllite"/],
    ['https://example.com', 'ADDRESS_SCHEME_UNKNOWN', 'scheme', /web page/],
    ['mongodb://u:p@h/db', 'ADDRESS_SCHEME_UNKNOWN', 'scheme', /"mongodb"/],
    [`postgres://u:${secret}@h/db`, 'ADDRESS_DRIVER_NOT_LOADED', 'scheme', /"postgresql".*is not loaded/],
    [`postgresql+psycopg2://u:${secret}@h/db`, 'ADDRESS_DRIVER_NOT_LOADED', 'scheme', /"postgresql"/],
    [`mysql://u:${secret}@h/db`, 'ADDRESS_DRIVER_NOT_LOADED', 'scheme', /"mysql"/],
    ['sqlite:///../x.db', 'FILES', 'path', /No such path/],
    ['x'.repeat(5_000), 'ADDRESS_TOO_LONG', '', /longer/],
  ]
  for (const [given, code, part, message] of refused) {
    it(`is refused with ${code} when it is ${given.slice(0, 40)}, and counts as declared`, async () => {
      const config = await resolveWith({ DATABASE_URL: given })
      assert.equal(config.declared, true)
      assert.equal(config.primary, null)
      assert.equal(config.absence, null)
      assert.equal(config.fallback?.target.database, '/data/production.db')
      const [problem, ...more] = config.problems
      assert.deepEqual(more, [])
      assert.equal(problem?.code, code)
      assert.equal(problem?.severity, 'error')
      assert.equal(problem?.part ?? '', part)
      assert.match(problem?.message ?? '', message)
      assert.doesNotMatch(JSON.stringify(config.problems), new RegExp(secret))
    })
  }

  it('says how a built-in driver is loaded where it is not', async () => {
    for (const [scheme, name] of [
      ['postgres', 'postgresql'],
      ['mariadb', 'mysql'],
      ['neon+https', 'neon'],
    ]) {
      const [problem] = (await resolveWith({ DATABASE_URL: `${scheme}://u@h/db` })).problems
      assert.equal(problem?.message, `The driver "${name}" for "${scheme}:" addresses is not loaded.`)
      assert.match(problem?.suggestion ?? '', new RegExp(`^Add "${name}" to DRIVERS\\. Loaded drivers accept: sqlite`))
    }
    const [parts] = (await resolveWith({ DATABASE_DRIVER: 'postgres', DATABASE_HOST: 'h' })).problems
    assert.match(parts?.suggestion ?? '', /^Add "postgresql" to DRIVERS: it is built in\./)
  })

  it('names a database that no driver reads, and the scheme of one that speaks the protocol of another', async () => {
    const names = { 'mongodb+srv': 'MongoDB', redis: 'Redis', rediss: 'Redis', mssql: 'SQL Server' }
    const more = { sqlserver: 'SQL Server', oracle: 'Oracle', redshift: 'Amazon Redshift', clickhouse: 'ClickHouse' }
    for (const [scheme, name] of Object.entries({ ...names, ...more, libsql: 'libSQL' })) {
      const [problem] = (await resolveWith({ DATABASE_URL: `${scheme}://u:${secret}@h/db` }, [files, postgres]))
        .problems
      assert.equal(problem?.code, 'ADDRESS_SCHEME_UNKNOWN')
      assert.ok(problem?.message.includes(`the scheme of ${name}`), problem?.message)
      assert.match(problem?.suggestion ?? '', /DRIVERS\. Loaded drivers accept: sqlite, file, postgres, postgresql\.$/)
    }
    const url = `cockroachdb://u:${secret}@h:26257/db`
    const [speaks] = (await resolveWith({ DATABASE_URL: url }, [files, postgres])).problems
    assert.match(speaks?.suggestion ?? '', /write postgresql:\/\/u:\*\*\*@h:26257\/db$/)
  })

  it('proposes the scheme that was meant, and the form of a file', async () => {
    const near = await resolveWith({ DATABASE_URL: 'sqllite:///./x.db' })
    assert.equal(near.problems[0]?.suggestion, 'Did you mean "sqlite"? Write sqlite:///./x.db')
    const file = await resolveWith({ DATABASE_URL: './app.db' })
    assert.equal(file.problems[0]?.suggestion, 'For a file write sqlite:///./app.db')
    const known = await resolveWith({ DATABASE_URL: 'localhost:5432/app' })
    assert.match(known.problems[0]?.suggestion ?? '', /^Write postgresql:\/\/localhost:5432\/app;/)
    const host = await resolveWith({ DATABASE_URL: 'db.example.org:9999/app' })
    assert.match(host.problems[0]?.suggestion ?? '', /^Write scheme:\/\/db\.example\.org:9999\/app with the scheme/)
    const word = await resolveWith({ DATABASE_URL: 'mydb' })
    assert.match(word.problems[0]?.suggestion ?? '', /^For a file write sqlite:\/\/\/\.\/NAME\.db, for a server /)
  })

  it('goes to the driver as it is when validation is switched off', async () => {
    const off = { DATABASE_VALIDATION_ENABLED: 'false' }
    const seen: string[] = []
    const spy = server('postgresql', ['postgresql'], {
      parse: (address) => {
        if (address.form === 'url') seen.push(address.text.reveal())
        return parseServer('postgresql', address)
      },
    })
    await resolveWith({ ...off, DATABASE_URL: 'postgresql://u:<password>@h/db;' }, [files, spy])
    assert.deepEqual(seen, ['postgresql://u:<password>@h/db;'])
    const quoted = await resolveWith({ ...off, DATABASE_URL: '"postgresql://u:p@h/db"' }, [files, spy])
    assert.deepEqual(codes(quoted), ['ADDRESS_SCHEME_UNKNOWN'])
    assert.equal(quoted.primary, null)
    assert.equal(quoted.declared, true)
    const blank = await resolveWith({ ...off, DATABASE_URL: 'None' })
    assert.equal(blank.declared, false)
  })

  it('survives a driver that throws or gives nonsense', async () => {
    for (const parse of [
      () => {
        throw new Error('S3cr3t')
      },
      () => undefined as never,
      () => ({ problems: 'many' }) as never,
      () => ({ target: {}, problems: [] }) as never,
      () => ({ problems: [] }) as never,
    ]) {
      const config = await resolveWith({ DATABASE_URL: 'bad://h' }, [files, server('bad', ['bad'], { parse })])
      assert.deepEqual(codes(config), ['DRIVER_FAILED'])
      assert.equal(config.declared, true)
      assert.equal(config.primary, null)
    }
  })
})

describe('the resolution of parts', () => {
  const parts = {
    DATABASE_DRIVER: 'postgresql',
    DATABASE_HOST: 'db',
    DATABASE_PORT: '6543',
    DATABASE_USERNAME: 'me',
    DATABASE_PASSWORD: 'S3cr3t',
    DATABASE_NAME: 'app',
  }

  it('names the part that is a variable, an address or has a port, and the setting that corrects it', async () => {
    const wrong: readonly [Record<string, string>, string, string, RegExp][] = [
      [{ DATABASE_HOST: '$(DB_HOST)' }, 'ADDRESS_PLACEHOLDER', 'database.host', /defined later/],
      [{ DATABASE_PASSWORD: `\${DB_PASSWORD}` }, 'ADDRESS_PLACEHOLDER', 'database.password', /real value/],
      [
        { DATABASE_HOST: 'https://db.example.com:6000' },
        'ADDRESS_HOST_INVALID',
        'database.host',
        /^Set DATABASE_HOST=db\.example\.com and DATABASE_PORT=6000,/,
      ],
      [{ DATABASE_HOST: 'a\nb' }, 'ADDRESS_PARTS_INCOMPLETE', 'database.host', /whole address/],
    ]
    for (const [env, code, setting, suggestion] of wrong) {
      const config = await resolveWith({ ...parts, ...env }, [files, postgres])
      assert.equal(config.primary, null)
      const problem = config.problems.find((one) => one.code === code && one.setting === setting)
      assert.match(problem?.suggestion ?? '', suggestion, JSON.stringify(config.problems))
    }
    const port = await resolveWith({ ...parts, DATABASE_HOST: 'db:5432' }, [files, postgres])
    assert.equal(port.problems[0]?.suggestion, 'Set DATABASE_HOST=db and DATABASE_PORT=6543.')
  })

  it('declares a primary, the driver named by its name, by one of its schemes or by the client in one', async () => {
    const own = server('postgresql', ['postgres', 'postgresql', 'postgresql+asyncpg'])
    for (const DATABASE_DRIVER of ['postgresql', 'postgres', 'PostgreSQL', 'postgresql+asyncpg', 'AsyncPG']) {
      const config = await resolveWith({ ...parts, DATABASE_DRIVER }, [files, own])
      assert.deepEqual(config.problems, [])
      const { host, port, user, database } = config.primary?.target ?? {}
      assert.deepEqual([host, port, user, database], ['db', 6543, 'me', 'app'])
    }
  })

  it('says what is missing when no driver is named', async () => {
    const config = await resolveWith({ DATABASE_HOST: 'db', DATABASE_PASSWORD: 'S3cr3t' })
    assert.deepEqual(codes(config), ['ADDRESS_PARTS_INCOMPLETE'])
    assert.match(config.problems[0]?.message ?? '', /^DATABASE_HOST, DATABASE_PASSWORD are set, but DATABASE_DRIVER/)
    assert.equal(config.declared, true)
    assert.equal(config.primary, null)
  })

  it('names a driver that is not there, and the one that was meant', async () => {
    const config = await resolveWith({ ...parts, DATABASE_DRIVER: 'postgresq' }, [files, postgres])
    assert.deepEqual(codes(config), ['ADDRESS_DRIVER_UNKNOWN'])
    assert.match(config.problems[0]?.suggestion ?? '', /Did you mean "postgresql"\?/)
    assert.equal(config.declared, true)
  })

  it('names the part that a driver refuses', async () => {
    const config = await resolveWith({ DATABASE_DRIVER: 'postgresql', DATABASE_PASSWORD: 'S3cr3t' }, [files, postgres])
    assert.equal(config.problems[0]?.setting, 'database.host')
    assert.equal(config.problems[0]?.message, 'no host beside ***')
  })

  it('lets the address win where both are given, and names what differs without its value', async () => {
    const url = 'postgresql://me:S3cr3t@other:6543/app'
    const differing = await resolveWith({ ...parts, DATABASE_URL: url }, [files, postgres])
    assert.equal(differing.primary?.target.host, 'other')
    assert.deepEqual(
      differing.problems.map(({ code, setting, severity }) => [code, setting, severity]),
      [['ADDRESS_PARTS_DIFFER', 'database.host', 'warning']],
    )
    const quoted = await resolveWith({ ...parts, DATABASE_URL: '"postgresql://me:S3cr3t@db:6543/app"' }, [
      files,
      postgres,
    ])
    assert.deepEqual(codes(quoted), ['ADDRESS_REPAIRED'])
    const password = await resolveWith({ ...parts, DATABASE_URL: 'postgresql://me:0th3r1@db:6543/app' }, [
      files,
      postgres,
    ])
    assert.equal(password.problems[0]?.setting, 'database.password')
    assert.doesNotMatch(JSON.stringify(password.problems), /S3cr3t|0th3r1/)
    const same = await resolveWith({ ...parts, DATABASE_URL: 'postgresql://me:S3cr3t@db:6543/app' }, [files, postgres])
    assert.deepEqual(same.problems, [])
  })

  it('compares the name of a file as its driver reads it', async () => {
    const env = { DATABASE_URL: 'sqlite:///./x.db', DATABASE_NAME: 'x.db' }
    assert.deepEqual(codes(await resolveWith(env)), [])
    assert.deepEqual(codes(await resolveWith({ ...env, DATABASE_NAME: 'y.db' })), ['ADDRESS_PARTS_DIFFER'])
  })

  it('lets DATABASE_DRIVER choose among the drivers that accept the scheme, and no other', async () => {
    const env = { DATABASE_URL: 'postgresql://u@h/db' }
    const all = [files, postgres, neon]
    assert.equal((await resolveWith(env, all)).primary?.driver.name, 'postgresql')
    const named = await resolveWith({ ...env, DATABASE_DRIVER: 'neon' }, all)
    assert.equal(named.primary?.driver.name, 'neon')
    assert.deepEqual(named.problems, [])
    const alone = await resolveWith({ ...env, DATABASE_DRIVER: 'neon' }, [files, neon])
    assert.equal(alone.primary?.driver.name, 'neon')
    const other = await resolveWith({ ...env, DATABASE_DRIVER: 'files' }, all)
    assert.equal(other.primary?.driver.name, 'postgresql')
    assert.deepEqual(codes(other), ['ADDRESS_DRIVER_MISMATCH'])
  })

  it('counts an address whose secret file cannot be read as declared', async () => {
    const config = await resolveWith({ DATABASE_URL_FILE: '/there/is/none' })
    assert.equal(config.declared, true)
    assert.equal(config.primary, null)
  })
})

describe('the resolution of the fallback', () => {
  it('tries every place for the fallback and only the first for a declared primary', async () => {
    const seen: [string, readonly string[]][] = []
    const spy: Driver = {
      ...files,
      parse: (address, settings) => {
        seen.push([address.role, address.folders])
        return files.parse(address, settings)
      },
    }
    await resolveWith({ DATABASE_URL: 'sqlite:///./x.db' }, [spy])
    assert.deepEqual(seen[0], ['primary', ['/data']])
    assert.deepEqual(seen.at(-1), ['fallback', ['/data', '/elsewhere']])
  })

  it('is none where it is the primary itself', async () => {
    const config = await resolveWith({ DATABASE_URL: 'sqlite:///./production.db' })
    assert.equal(config.primary?.target.database, '/data/production.db')
    assert.equal(config.fallback, null)
    assert.deepEqual(
      config.problems.map(({ code, severity }) => [code, severity]),
      [['FALLBACK_IS_PRIMARY', 'info']],
    )
  })

  it('is for what the settings say: the local store, or next to a primary, usable or not', async () => {
    for (const [env, file] of [
      [{}, 'local'],
      [{ DATABASE_URL: 'postgres://h/db' }, 'fallback'],
      [{ DATABASE_URL: 'postgres://:::/' }, 'fallback'],
    ] as const) {
      const { fallback } = await resolveWith(env, [sqlite, postgres])
      const files = fallback?.driver.embedded?.files(fallback.target)
      assert.deepEqual(files?.slice(0, 2), ['/data/production.db', `/data/production.${file}.db`])
    }
  })

  it('never moves into the file of the primary', async () => {
    const url = 'sqlite:////elsewhere/production.db'
    const env = { DATABASE_URL: url, SQLITE_ALLOW_PATHS: '/elsewhere' }
    const config = await resolveWith(env, [sqlite])
    const filesOf = (one: DatabaseConfig['primary']) => one?.driver.embedded?.files(one.target)
    assert.deepEqual(filesOf(config.primary), ['/elsewhere/production.db'])
    const kept = ['/data/production.db', '/data/production.fallback.db']
    assert.deepEqual(filesOf(config.fallback), kept)
    const free = await resolveWith({ ...env, DATABASE_URL: 'sqlite:////elsewhere/other.db' }, [sqlite])
    assert.deepEqual(filesOf(free.fallback), [...kept, '/elsewhere/production.db', '/elsewhere/production.fallback.db'])
    const beside = await resolveWith({ DATABASE_URL: 'sqlite:///./production.fallback.db' }, [sqlite])
    assert.equal(beside.fallback, null, 'the file that the fallback may use')
  })

  it('is none beside a declared primary when it is switched off', async () => {
    const config = await resolveWith({ DATABASE_URL: 'postgres://h/db', ENABLE_FALLBACK: 'false' }, [files, postgres])
    assert.equal(config.primary?.target.host, 'h')
    assert.equal(config.fallback, null)
  })

  it('takes the default with a problem when it is not embedded, unusable or unknown', async () => {
    const rows: readonly [string, string][] = [
      ['postgres://u:S3cr3t@h/db', 'FALLBACK_NOT_EMBEDDED'],
      ['mysql://u:S3cr3t@h/db', 'ADDRESS_DRIVER_NOT_LOADED'],
      ['sqlite:///../up.db', 'FILES'],
      [`\${FALLBACK}`, 'ADDRESS_PLACEHOLDER'],
    ]
    for (const [given, code] of rows) {
      const config = await resolveWith({ FALLBACK_DATABASE_URL: given }, [files, postgres])
      assert.deepEqual(codes(config), [code])
      assert.equal(config.problems[0]?.setting, 'fallback.url')
      assert.equal(config.problems[0]?.severity, 'error')
      assert.equal(config.fallback?.target.database, '/data/production.db')
      assert.doesNotMatch(JSON.stringify(config.problems), /S3cr3t/)
    }
  })

  it('takes the first driver that can be one where the default has no driver', async () => {
    const other: Driver = { ...files, name: 'duck', schemes: ['duck'] }
    const config = await resolveWith({}, [postgres, other])
    assert.equal(config.fallback?.driver.name, 'duck')
    assert.deepEqual(config.problems, [])
    const none = await resolveWith({}, [postgres])
    assert.equal(none.fallback, null)
    assert.deepEqual(codes(none), ['FALLBACK_DRIVER_MISSING'])
  })
})

describe('the resolution of anything at all', () => {
  it('gives a fallback and never throws, with and without validation', async () => {
    const names = [
      'DATABASE_URL',
      'DATABASE_DRIVER',
      'DATABASE_HOST',
      'DATABASE_PORT',
      'DATABASE_PASSWORD',
      'DATABASE_NAME',
      'FALLBACK_DATABASE_URL',
    ]
    const word = fc.constantFrom(
      'sqlite',
      ':',
      '/',
      '//',
      '..',
      '@',
      '?',
      '=',
      '&',
      '%',
      '%zz',
      '"',
      "'",
      '\n',
      ' ',
      'psql ',
      'x.db',
      'postgres',
      '<',
      '>',
      '$',
      '{',
      '}',
      'null',
      ':memory:',
      '\u{1F600}',
      '\uD800',
    )
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 12 }).map((words) => words.join('')),
    )
    const env = fc.dictionary(fc.constantFrom(...names), value)
    await fc.assert(
      fc.asyncProperty(env, fc.boolean(), async (given, isValidated) => {
        const all = { ...given, DATABASE_VALIDATION_ENABLED: String(isValidated) }
        const config = await resolveWith(all, [sqlite, postgres])
        // None only where the primary is the same file.
        if (config.fallback === null) assert.deepEqual(codes(config).slice(-1), ['FALLBACK_IS_PRIMARY'])
        else assert.equal(config.fallback.driver.name, 'sqlite')
        assert.equal(config.absence === null, config.declared)
        if (config.declared && config.primary === null)
          assert.ok(config.problems.some(({ severity }) => severity === 'error'))
      }),
      { numRuns: 200 },
    )
  })
})

describe('secrets in an address', () => {
  it('are in no problem, however the address is malformed and whatever the driver says', async () => {
    const wraps: readonly ((text: string) => string)[] = [
      (text) => text,
      (text) => `"${text}"`,
      (text) => `psql '${text}'`,
      (text) => `DATABASE_URL=${text}`,
      (text) => ` ${text}\n`,
      (text) => `${text};`,
      (text) => text.replace('://', ':/'),
      (text) => text.replace('://', ''),
      (text) => text.replace('://', ':'),
      (text) => text.replace(/@[^@]*$/, '@http://leaky/db'),
    ]
    const wrap = fc.constantFrom(...wraps)
    const scheme = fc.constantFrom(
      'postgresql',
      'postgres',
      'POSTGRES',
      'mysql',
      'sqllite',
      'sqlite',
      'mongodb',
      'https',
      '',
    )
    const noise = fc.string({ maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(wrap, scheme, noise, noise, fc.boolean(), async (mangle, word, before, behind, isEncoded) => {
        const raw = `${before}S3cr3t${behind}`
        const password = isEncoded ? encodeURIComponent(raw.toWellFormed()) : raw
        const address = mangle(`${word}://me:${password}@leaky:5432/app`)
        const config = await resolveWith({ DATABASE_URL: address.replaceAll('\0', '') }, [files, postgres])
        assert.doesNotMatch(JSON.stringify(config.problems), /S3cr3t/)
        assert.equal(config.fallback?.driver.name, 'files')
      }),
      {
        numRuns: 400,
        // Each was shown once: by a quote that ends a command, and by a scheme that has lost its "://".
        examples: [
          [wraps[2] ?? String, 'postgresql', "'@", ' ', false],
          [wraps[7] ?? String, 'postgresql', '//', '', false],
        ],
      },
    )
  })
})
