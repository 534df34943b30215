import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, checkJson } from '../../src/cli/check.ts'
import { checkText } from '../../src/cli/report.ts'
import { writtenLog } from '../observe/support.ts'
import fc from '../support/property.ts'
import { makeTempDir } from '../support/temp.ts'

type Env = Readonly<Record<string, string>>

const secretJson = (password: string): string => JSON.stringify({ username: 'u', password, engine: 'mysql', host: 'h' })

const parts = { DATABASE_DRIVER: 'postgresql', DATABASE_HOST: 'db' }

/** Where a secret was put, in every form that people were seen to put it: `s` as it is, `e` percent-encoded. */
const places: Readonly<Record<string, (s: string, e: string) => Env>> = {
  'a password behind the user': (s) => ({ ...parts, DATABASE_USERNAME: `user:${s}` }),
  'a password before the port': (s) => ({ ...parts, DATABASE_PORT: `${s}@5432` }),
  password: (_, e) => ({ DATABASE_URL: `postgresql://u:${e}@h:x/app` }),
  'a password that is not encoded': (s) => ({ DATABASE_URL: `postgresql://u:${s}@h:5432/app?sslmode=requird` }),
  'behind a scheme that is the user': (_, e) => ({ DATABASE_URL: `postgres:${e}@192.168.0.1:5432/helpdesk` }),
  'without a scheme': (_, e) => ({ DATABASE_URL: `admin:${e}@db.example/app` }),
  'after one slash': (_, e) => ({ DATABASE_URL: `mysql:/u:${e}@h/app` }),
  'a parameter': (_, e) => ({ DATABASE_URL: `postgresql://h:x/app?user=u&password=${e}` }),
  'a parameter with "&"': (_, e) => ({ DATABASE_URL: `postgresql://h/app?user=u&password=abc&${e}` }),
  'a parameter with "&" and "="': (_, e) => ({ DATABASE_URL: `postgresql://h/app?user=u&password=abc&${e}=x` }),
  'a parameter of MySQL': (_, e) => ({ DATABASE_URL: `mysql://h/app?user=u&password=abc&${e}=x&ssl-mode=no` }),
  'a parameter of Neon': (_, e) => ({ DATABASE_URL: `neon://h/app?user=u&password=abc&${e}` }),
  'a parameter of SQLite': (_, e) => ({ DATABASE_URL: `sqlite:///./x.db?password=abc&${e}=1` }),
  'after a second question mark': (_, e) => ({ DATABASE_URL: ` postgresql://u:p@h/app?user=u?password=${e}` }),
  'after a second question mark, alone': (_, e) => ({ DATABASE_URL: `postgresql:/u:p@h/app?sslmode=require?pwd=${e}` }),
  'with a slash in it': (_, e) => ({ DATABASE_URL: `postgresql://u:abc/${e}@h:x/${e}` }),
  'the name of the database as well': (_, e) => ({ DATABASE_URL: `"postgresql://u:${e}@h:x,::1/${e}?a=b"` }),
  'an address cut off': (_, e) => ({ DATABASE_URL: `postgresql://u:${e}` }),
  'two addresses': (_, e) => ({ DATABASE_URL: `postgresql://u:${e}@h/a postgresql://u:${e}@i/b` }),
  'a web page': (_, e) => ({ DATABASE_URL: `https://u:${e}@h/a` }),
  'another scheme': (_, e) => ({ DATABASE_URL: `quantum://u:${e}@h/a?password=${e}` }),
  'SQLite with a host': (_, e) => ({ DATABASE_URL: `sqlite://u:${e}@h/a.db` }),
  'the fallback': (_, e) => ({ FALLBACK_DATABASE_URL: `postgresql://u:${e}@h/a` }),
  'keywords of libpq': (s) => ({
    DATABASE_URL: `host=h dbname=a user=u password='${s.replace(/['\\]/g, '\\$&')}' port=x`,
  }),
  'not validated': (_, e) => ({ DATABASE_URL: `postgres:${e}@h:x/a`, DATABASE_VALIDATION_ENABLED: 'false' }),
  'ADO.NET': (s) => ({ DATABASE_URL: `Host=h;Username=u;Password="${s}";Database=app;Port=x` }),
  PDO: (s) => ({ DATABASE_URL: `pgsql:host=h;dbname=app;user=u;password=${s}` }),
  Go: (s) => ({ DATABASE_URL: `u:${s}@tcp(h:3306)/app` }),
  'a secret in JSON': (s) => ({ DATABASE_URL: secretJson(s) }),
  'a secret in JSON, in other settings': (s) => ({
    LOG_LEVEL: secretJson(s),
    HOST: secretJson(s),
    DATA_DIR: secretJson(s),
  }),
  'a secret in JSON as a part': (s) => ({ DATABASE_DRIVER: 'mysql', DATABASE_HOST: 'h', DATABASE_NAME: secretJson(s) }),
  'a command': (_, e) => ({ DATABASE_URL: `mysql -h h -u u -p ${e} app` }),
  // What ends a word or a command in a shell cannot be in a password that is not quoted.
  'a command, attached': (s) => ({ DATABASE_URL: `mysql -h h -u u -p${s.replaceAll(/[ &#]/g, '.')} app` }),
  'the password of parts': (s) => ({ DATABASE_DRIVER: 'mysql', DATABASE_HOST: `h ${s}`, DATABASE_PASSWORD: s }),
  'an address as a part': (_, e) => ({ DATABASE_DRIVER: 'mysql', DATABASE_HOST: 'h', DATABASE_NAME: `u:${e}@h` }),
  'a file of a secret': (s) => ({ DATABASE_URL_FILE: s, ADMIN_TOKEN_FILE: s, POSTGRESQL_SSL_KEY_FILE: s }),
  'an address in the file of a secret': (_, e) => ({ DATABASE_URL_FILE: `postgres://u:${e}@h/a` }),
  'the settings file': (s) => ({ CONFIG_FILE: s }),
  ...Object.fromEntries(
    ['CONFIG_FILE', 'DRIVERS', 'COLLECTIONS_DIR', 'DATA_DIR', 'HOST', 'PORT', 'DATABASE_HOST', 'DATABASE_DRIVER'].map(
      (name) => [`an address in ${name}`, (_: string, e: string): Env => ({ [name]: `postgres://u:${e}@h/a` })],
    ),
  ),
  'a key instead of a certificate': (s) => ({
    POSTGRESQL_SSL_CERT: `-----BEGIN PRIVATE KEY-----\n${s}`,
    MYSQL_SSL_CA: `MII${s}`,
    PORT: `-----BEGIN PRIVATE KEY-----\n${s}`,
  }),
}

const secret = fc
  .string({ minLength: 5, maxLength: 24, unit: fc.constantFrom(...'abcdefXYZW0123456789+/=&?#@:%!~ é-_.') })
  .map((text) => `q7${text.trim()}Zk`)

/** Every text that a person could see: `check` in both forms, and the log's lines of the problems. */
async function shown(cwd: string, env: Env): Promise<string> {
  const report = await check({ env, cwd })
  const { log, texts } = await writtenLog({ level: 'trace' })
  for (const problem of report.problems) log.observe({ type: 'problem.found', problem })
  return [checkText(report, (_, text) => text), JSON.stringify(checkJson(report)), ...texts].join('\n')
}

/** The runs of four characters, as they are and percent-encoded, but those that may be a piece of a line's time. */
function runsOf(text: string): readonly string[] {
  const all = [text, encodeURIComponent(text), encodeURI(text)]
  const runs = all.flatMap((one) =>
    Array.from({ length: Math.max(0, one.length - 3) }, (_, at) => one.slice(at, at + 4)),
  )
  return runs.filter((run) => !/^[\d:.TZ-]+$/.test(run))
}

const placed = Object.entries(places)

test('no four characters in a row of a secret are shown, wherever it was put', async (t) => {
  const cwd = await makeTempDir(t, 'secrets')
  const usual = new Map<string, string>()
  const other = 'W'.repeat(9)
  for (const [where, put] of placed) usual.set(where, await shown(cwd, put(other, other)))
  const one = fc.tuple(fc.constantFrom(...placed), secret)
  await fc.assert(
    fc.asyncProperty(one, async ([[where, put], given]) => {
      const text = await shown(cwd, put(given, encodeURIComponent(given)))
      const leak = runsOf(given).find((run) => text.includes(run) && !usual.get(where)?.includes(run))
      const at = leak === undefined ? 0 : text.indexOf(leak)
      assert.equal(leak, undefined, `${where}: ${text.slice(Math.max(0, at - 150), at + 100)}`)
    }),
    { numRuns: 150, examples: placed.map((place) => [[place, 'Sekret77Zq9x']]) },
  )
})
