import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { applySettings, Handle, openNative } from '../../../plugins/sqlite/handle.ts'
import { unsyncedOn } from '../../../plugins/sqlite/journal/unsynced.ts'
import { cleanLater, makeTempDir } from '../../support/temp.ts'

for (const [mode, inside] of [
  ['wal', 1],
  ['delete', 2],
] as const) {
  test(`a change that claims make good is ${inside === 1 ? 'not synced' : 'synced'} in mode ${mode}; the next one is`, async (t) => {
    const native = openNative(join(await makeTempDir(t, 'unsynced'), 'file.db'))
    cleanLater(t, () => void native.close())
    native.pragma(`journal_mode = ${mode}`)
    applySettings(native, { synchronous: 'full' })
    const handle = new Handle(native)
    const unsynced = unsyncedOn(handle)
    const synchronous = (): unknown => native.pragma('synchronous', { simple: true })
    assert.equal(unsynced(synchronous), inside)
    assert.equal(synchronous(), 2)
    const failing = (): never => {
      throw new Error('x')
    }
    assert.throws(() => unsynced(failing), /^Error: x$/)
    assert.deepEqual([synchronous(), native.inTransaction], [2, false])
  })
}
