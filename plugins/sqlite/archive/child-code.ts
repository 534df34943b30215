import { requestTable } from '../../../src/driver/kit/driver-kit.ts'
import { ownTablePattern } from '../journal/tables.ts'

/**
 * Runs in a process of its own, which copies a file and reads it. Plain JavaScript as text: so it is the same from sources,
 * compiled and bundled. Rows are read in the order in which they are in the file; each value goes into the hash with its kind
 * and its length, so that no two different rows give the same bytes.
 */
export const childCode: string = `
const { copyFileSync, constants, statSync, closeSync, openSync, fsyncSync } = require('node:fs')
const { createHash } = require('node:crypto')
const task = JSON.parse(process.argv[1])
const Database = require(task.client)

function hasWal(path) {
  try { return statSync(path + '-wal').size > 0 } catch { return false }
}

function open(path) {
  // What is made next to the file for reading it is removed only by a connection that may write; with a WAL that one would carry it.
  const native = new Database(path, { readonly: hasWal(path), fileMustExist: true, timeout: 1000 })
  native.pragma('query_only = on')
  return native
}

class Digest {
  hash = createHash('sha256')
  buffer = Buffer.allocUnsafe(1 << 18)
  at = 0
  room(bytes) {
    if (this.at + bytes <= this.buffer.length) return
    this.flush()
    if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes)
  }
  flush() {
    this.hash.update(this.buffer.subarray(0, this.at))
    this.at = 0
  }
  head(kind, length) {
    this.buffer[this.at] = kind
    this.buffer.writeUInt32LE(length, this.at + 1)
    this.at += 5
  }
  add(value) {
    if (typeof value === 'string') {
      this.room(5 + value.length * 3)
      const start = this.at
      this.at += 5
      const length = this.buffer.write(value, this.at, 'utf8')
      this.at = start
      this.head(3, length)
      this.at += length
      return
    }
    if (Buffer.isBuffer(value)) {
      this.room(5 + value.length)
      this.head(4, value.length)
      this.at += value.copy(this.buffer, this.at)
      return
    }
    this.room(13)
    if (typeof value === 'bigint') {
      this.head(1, 8)
      this.at = this.buffer.writeBigInt64LE(value, this.at)
    } else if (typeof value === 'number') {
      this.head(2, 8)
      this.at = this.buffer.writeDoubleLE(value, this.at)
    } else this.head(0, 0)
  }
  end() {
    this.flush()
    return this.hash.digest('hex')
  }
}

function quote(name) { return '"' + name.replaceAll('"', '""') + '"' }

function proofOfTable(native, table) {
  const digest = new Digest()
  let rows = 0
  // Without an index the order is that of the rows in the file.
  const statement = native.prepare('select * from ' + quote(table) + ' not indexed').raw(true).safeIntegers(true)
  for (const row of statement.iterate()) {
    rows += 1
    digest.room(5)
    digest.head(5, row.length)
    for (const value of row) digest.add(value)
  }
  return { table, rows, hash: digest.end() }
}

function proofOf(path) {
  const native = open(path)
  try {
    const damage = native.prepare('pragma integrity_check(10)').pluck().all().map(String).filter((line) => line !== 'ok')
    if (damage.length > 0) return { fileId: null, bytes: statSync(path).size, damage, tables: [] }
    const names = native.prepare("select name from sqlite_master where type = 'table' and rootpage > 0"
      + " and name not like 'sqlite\\\\_%' escape '\\\\'"
      + " and (name = '${requestTable.name}' or name not like '${ownTablePattern.replace('\\', '\\\\')}' escape '\\\\')"
      + ' order by name').pluck().all()
    const hasLife = native.prepare("select 1 from sqlite_master where type = 'table' and name = 'holdfast_life'").get()
    const fileId = hasLife === undefined ? null : native.prepare('select id from holdfast_life').pluck().get() ?? null
    const tables = names.map((name) => proofOfTable(native, name))
    return { fileId, bytes: statSync(path).size, damage, tables }
  } finally {
    native.close()
  }
}

function copy(from, into) {
  copyFileSync(from, into, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  const descriptor = openSync(into, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
  require('node:fs').writeSync(1, 'copied\\n')
}

let answer
try {
  if (task.into !== null) copy(task.path, task.into)
  answer = { proof: proofOf(task.into ?? task.path) }
} catch (error) {
  answer = typeof error.code === 'string' && /^SQLITE_(?:CORRUPT|NOTADB)/.test(error.code)
    ? { proof: { fileId: null, bytes: 0, damage: [error.message], tables: [] } }
    : { code: typeof error.code === 'string' ? error.code : null, message: error.message }
}
process.stdout.write(JSON.stringify(answer) + '\\n')
`
