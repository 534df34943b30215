// An example driver, written from plugins/README.md alone: one file, and of Holdfast only what plugins may import.
import { mkdirSync } from 'node:fs'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineDriver } from 'holdfast/driver'
import { isolatedOrmOptions, readError } from 'holdfast/driver-kit'

const hint = 'Name a file below the data directory, for example notebook:notes.db.'

const kinds = [
  [/^SQLITE_CONSTRAINT/, 'constraint'],
  [/^SQLITE_(BUSY|LOCKED)/, 'transient'],
  [/^SQLITE_FULL|^ENOSPC/, 'disk-full'],
  [/^SQLITE_(NOTADB|CORRUPT)/, 'corrupt'],
  [/^SQLITE_(CANTOPEN|READONLY)|^E(ACCES|ROFS|NOTDIR|EXIST|PERM)/, 'unwritable'],
  [/^(ABORT_ERR|NOTEBOOK_CLOSED)/, 'lost'],
]

/** @returns {import('holdfast/driver-kit').Fault} */
function fault(kind, code, summary, cause) {
  return { kind, code, summary, hint: 'See the cause in the log.', ambiguous: false, cause }
}

function classify(error, _phase) {
  const found = readError(error, ({ name, code }) => {
    const kind = kinds.find(([pattern]) => pattern.test(String(code)))?.[1]
    if (kind !== undefined) return fault(kind, code, 'The notebook cannot do that now.', error)
    return /^(Abort|Timeout)Error$/.test(name) ? fault('lost', 'ABORTED', 'It took too long.', error) : null
  })
  return found ?? fault('statement', 'NOTEBOOK_STATEMENT', 'The statement failed.', error)
}

function parse(address, _settings) {
  const text = address.form === 'url' ? address.text.reveal() : (address.name ?? '')
  const path = text.replace(/^[a-z0-9+.-]+:(\/\/\/?)?/i, '').replace(/\?.*$/s, '')
  const folder = address.folders[0] ?? process.cwd()
  const file = resolve(folder, path)
  const way = relative(folder, file)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  if (way === '' || way.startsWith('..') || isAbsolute(way) || path.length > 200 || /[@\x00-\x1f]|\/$/.test(path)) {
    const { setting, origin } = address
    const message = 'The address names no file that a notebook could be.'
    return {
      problems: [
        { code: 'NOTEBOOK_ADDRESS', severity: 'error', setting, origin, part: 'path', message, suggestion: hint },
      ],
    }
  }
  const shown = { host: null, port: null, database: way, user: null, tls: null }
  return { target: { driver: 'notebook', id: `notebook:${file}`, ...shown, file }, problems: [] }
}

/** Runs until no other handle has the lock; never blocks the event loop. */
async function patiently(run, limitMs) {
  const until = performance.now() + limitMs
  for (;;) {
    try {
      return run()
    } catch (error) {
      if (!String(error.code).startsWith('SQLITE_BUSY') || performance.now() > until) throw error
    }
    await sleep(5)
  }
}

/** One native handle: kysely's connection. */
class Handle {
  constructor(native, limits) {
    this.native = native
    this.limits = limits
  }

  async executeQuery({ sql, parameters }) {
    return patiently(() => {
      const statement = this.native.prepare(sql)
      if (statement.reader) return { rows: statement.all(parameters) }
      const { changes, lastInsertRowid } = statement.run(parameters)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    }, this.limits.queryMs)
  }

  async *streamQuery({ sql, parameters }) {
    for (const row of this.native.prepare(sql).iterate(parameters)) yield { rows: [row] }
  }
}

/** A kysely driver with a native handle for each caller, so that none waits for a connection. */
class HandleDriver {
  #handles = new Set()
  #isClosed = false

  constructor(openNative, limits) {
    this.openNative = openNative
    this.limits = limits
  }

  async init() {}

  async acquireConnection() {
    if (this.#isClosed) throw Object.assign(new Error('closed'), { code: 'NOTEBOOK_CLOSED' })
    const handle = new Handle(this.openNative(), this.limits)
    this.#handles.add(handle)
    return handle
  }

  async releaseConnection(handle) {
    this.#handles.delete(handle)
    handle.native.close()
  }

  async beginTransaction(handle) {
    try {
      await patiently(() => handle.native.exec('begin immediate'), this.limits.queryMs)
    } catch (error) {
      // kysely releases only what has begun.
      await this.releaseConnection(handle)
      throw error
    }
  }

  async commitTransaction(handle) {
    await patiently(() => handle.native.exec('commit'), this.limits.queryMs)
  }

  async rollbackTransaction(handle) {
    if (handle.native.open && handle.native.inTransaction) handle.native.exec('rollback')
  }

  async savepoint(handle, name) {
    handle.native.exec(`savepoint "${name}"`)
  }

  async rollbackToSavepoint(handle, name) {
    handle.native.exec(`rollback to "${name}"`)
  }

  async releaseSavepoint(handle, name) {
    handle.native.exec(`release "${name}"`)
  }

  async destroy() {
    this.#isClosed = true
    for (const handle of this.#handles) handle.native.close()
    this.#handles.clear()
  }
}

class NotebookConnection {
  constructor(native, file) {
    this.native = native
    this.file = file
  }

  async verify(_want, signal) {
    signal.throwIfAborted()
    const [{ version }] = this.native.prepare('select sqlite_version() as version').all()
    // A committed write of ours that changes nothing.
    const number = this.native.pragma('user_version', { simple: true })
    await patiently(() => this.native.exec(`pragma user_version = ${number}`), 500)
    return { version, path: this.file, ephemeral: false, pooled: false, problems: [] }
  }

  evict() {
    this.native.close()
  }

  async close() {
    this.native.close()
  }
}

async function connect(target, limits) {
  const { default: Database } = await import('better-sqlite3')
  const { SqliteAdapter, SqliteDialect, SqliteQueryCompiler } = await import('kysely')
  const { SqliteConnection, SqliteDriver } = await import('@mikro-orm/sqlite')

  const openNative = () => {
    mkdirSync(dirname(target.file), { recursive: true })
    const native = new Database(target.file, { timeout: 0 })
    native.pragma('journal_mode = wal')
    native.pragma('synchronous = full')
    native.pragma('foreign_keys = on')
    return native
  }
  class ManyAdapter extends SqliteAdapter {
    get supportsMultipleConnections() {
      return true
    }
  }
  const drivers = new Map()
  class ManyConnection extends SqliteConnection {
    createKyselyDialect() {
      // MikroORM reconnects by itself when an ORM is used after its close: then the same, closed driver answers.
      const driver = drivers.get(this) ?? new HandleDriver(openNative, limits)
      drivers.set(this, driver)
      return {
        createDriver: () => driver,
        createAdapter: () => new ManyAdapter(),
        createQueryCompiler: () => new SqliteQueryCompiler(),
        createIntrospector: (db) => new SqliteDialect({ database: null }).createIntrospector(db),
      }
    }
  }
  class NotebookDriver extends SqliteDriver {
    connection = new ManyConnection(this.config)
  }
  return [
    {
      label: `notebook ${target.database}`,
      async open(signal) {
        signal.throwIfAborted()
        return new NotebookConnection(await patiently(openNative, limits.connectMs), target.file)
      },
      engine: () => ({
        ormOptions: isolatedOrmOptions({ driver: NotebookDriver, dbName: target.file }, limits.echo),
        async close(orm) {
          await drivers.get(orm.driver.getConnection())?.destroy()
          await orm.close(true).catch(() => {})
        },
      }),
    },
  ]
}

export const driver = defineDriver({
  contract: 1,
  name: 'notebook',
  schemes: ['notebook', 'sqlite'],
  exclusive: 'sqlite',
  parse,
  describe: (target) => `notebook ${target.database}`,
  classify,
  connect,
  embedded: { files: (target) => [target.file] },
})

export default driver
