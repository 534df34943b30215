import { type ParameterReader, type ParameterTable, reportInvalid } from '../../../src/driver/kit/driver-kit.ts'
import type { JournalMode, SyncMode } from '../target.ts'

/** What the parameters of an address say. */
export interface SqliteOptions {
  journalMode: JournalMode
  sync: SyncMode
  isMemory: boolean
  isReadOnly: boolean
}

const wait = 'QUERY_TIMEOUT limits how long a write waits.'
const writer = 'SQLite has one writer.'

/** Parameters of other languages' clients that have no effect here, and why. */
const unused: Readonly<Record<string, string>> = {
  check_same_thread: 'It has no meaning in Node.',
  cached_statements: 'Statements are always cached.',
  uri: 'Every address is read as a URI.',
  detect_types: 'Types follow the declared columns.',
  isolation_level: 'Each write transaction begins immediate.',
  timeout: wait,
  busy_timeout: wait,
  _busy_timeout: wait,
  socket_timeout: wait,
  connection_limit: writer,
  pool_size: writer,
  cache: 'All handles are in one process.',
  charset: 'Text is always UTF-8.',
}

const journalMode: ParameterReader<SqliteOptions> = (value, options, report, written) => {
  const word = value.trim().toLowerCase()
  if (word === 'wal') options.journalMode = 'wal'
  else if (word === 'delete' || word === 'truncate' || word === 'persist') options.journalMode = 'delete'
  else reportInvalid(report, written, 'WAL and DELETE, which keep what was acknowledged; WAL is used')
}

const synchronous: ParameterReader<SqliteOptions> = (value, options, report, written) => {
  if (/^(?:full|extra|[23])$/i.test(value.trim())) options.sync = 'full'
  else reportInvalid(report, written, 'FULL and EXTRA: a write is acknowledged only once it is on the disk')
}

const foreignKeys: ParameterReader<SqliteOptions> = (value, _options, report, written) => {
  if (!/^(?:on|1|true|yes)$/i.test(value.trim())) reportInvalid(report, written, 'ON: foreign keys are always checked')
}

/** The parameters of an SQLite address. */
export const parameters: ParameterTable<SqliteOptions> = {
  known: {
    journal_mode: journalMode,
    _journal_mode: journalMode,
    synchronous,
    _synchronous: synchronous,
    foreign_keys: foreignKeys,
    _foreign_keys: foreignKeys,
    mode: (value, options, report, written) => {
      const word = value.trim().toLowerCase()
      if (word === 'memory') options.isMemory = true
      else if (word === 'ro') options.isReadOnly = true
      else if (word !== 'rwc' && word !== 'rw') reportInvalid(report, written, 'rwc, rw, ro and memory')
    },
  },
  unused,
  normalize: (name) => name.toLowerCase(),
}
