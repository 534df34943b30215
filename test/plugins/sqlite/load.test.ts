import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openNative } from '../../../plugins/sqlite/handle.ts'

// The only one of its process: the client is loaded once.
test('the client is loaded without asking a name server for the open sockets, and reports have them afterwards', () => {
  const { report } = process
  const original = report.getReport
  const seen: unknown[] = []
  report.getReport = (error) => {
    seen.push(Reflect.get(report, 'excludeNetwork'))
    return original.call(report, error)
  }
  try {
    openNative(':memory:').close()
    openNative(':memory:').close()
  } finally {
    report.getReport = original
  }
  assert.ok(process.platform !== 'linux' || seen.length === 1)
  assert.ok(seen.every((isExcluded) => isExcluded === true))
  assert.equal(Reflect.get(report, 'excludeNetwork'), false)
})
