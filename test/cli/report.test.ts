import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CheckReport } from '../../src/cli/check.ts'
import { checkText } from '../../src/cli/report.ts'
import { columns, type Paint, plain, table, wrap } from '../../src/cli/terminal.ts'

const report: CheckReport = {
  absence: null,
  declared: true,
  primary: null,
  archive: null,
  fallback: {
    driver: 'sqlite',
    path: '/app/data/production.db',
    disk: {
      kind: 'ephemeral',
      fileSystem: 'overlay',
      why: 'It is the writable layer of a container, which a restart empties.',
    },
    label: 'sqlite /app/data/production.db',
  },
  settings: [
    { name: 'database.url', value: '***', origin: { from: 'environment', name: 'DATABASE_URL' } },
    { name: 'http.port', value: 8080, origin: { from: 'file', path: 'config/production.json' } },
    { name: 'http.host', value: '0.0.0.0', origin: { from: 'default' } },
  ],
  chosen: new Set(['database.url', 'http.port']),
  collections: ['feedback'],
  outage: {
    hasFallback: true,
    isWritable: true,
    lines: [{ collection: 'feedback', isWhole: false, asOfMs: null, rows: 0, bytes: 0, why: 'COPY is off' }],
  },
  problems: [
    {
      code: 'ADDRESS_REPAIRED',
      severity: 'warning',
      setting: 'database.url',
      origin: { from: 'environment', name: 'DATABASE_URL' },
      part: 'quotes',
      message: 'DATABASE_URL has quotes around it.',
      suggestion:
        'Write postgresql://me:***@db.example.com:5432/a-name-that-is-longer-than-a-line-of-eighty-columns-has',
    },
    {
      code: 'COLLECTION_INVALID',
      severity: 'error',
      setting: 'config/collections/x.json#/fields',
      origin: { from: 'file', path: 'config/collections/x.json' },
      part: '/fields',
      message: 'The fields are missing.',
      suggestion: 'Declare at least one.',
    },
  ],
}

const expected = `Databases
  primary      declared, but not usable: see below
  fallback     sqlite /app/data/production.db
               ephemeral disk (overlay). It is the writable layer of a
               container, which a restart empties.
  collections  feedback

Without the primary
  feedback     not copied: new rows only (COPY is off)

Settings that differ from the default
  database.url  ***   environment DATABASE_URL
  http.port     8080  config/production.json

Problems
  error        COLLECTION_INVALID  config/collections/x.json#/fields
               The fields are missing.
               -> Declare at least one.

  warning      ADDRESS_REPAIRED  database.url (environment DATABASE_URL)
               DATABASE_URL has quotes around it.
               -> Write
               postgresql://me:***@db.example.com:5432/a-name-that-is-longer-than-a-line-of-eighty-columns-has

1 error, 1 warning, 0 notes.
`

describe('the report for people', () => {
  it('reports what is configured, from where, what is wrong, how to fix it', () => {
    assert.equal(checkText(report, plain), expected)
  })

  it('says what an outage means without a fallback', () => {
    const alone = { ...report, outage: { hasFallback: false, isWritable: false, lines: [] } }
    assert.match(checkText(alone, plain), /^Without the primary\n {2}no fallback: requests get 503 until/m)
  })

  it('says why nothing is declared, that nothing was chosen and that nothing is wrong', () => {
    const quiet = {
      ...report,
      declared: false,
      absence: 'DATABASE_URL is not set.',
      outage: null,
      chosen: new Set<string>(),
      problems: [],
    }
    assert.equal(
      checkText(quiet, plain),
      `Databases
  primary      none: DATABASE_URL is not set.
  local        sqlite /app/data/production.db
               ephemeral disk (overlay). It is the writable layer of a
               container, which a restart empties.
  collections  feedback

Settings that differ from the default
  none; "holdfast config" lists all settings

Problems
  none
`,
    )
  })

  it('colours words and nothing else', () => {
    const marked: Paint = (tone, text) => `<${tone}>${text}</${tone}>`
    assert.equal(checkText(report, marked).replace(/<\/?\w+>/g, ''), expected)
    assert.match(checkText(report, marked), /<error>error +<\/error>COLLECTION_INVALID/)
  })

  it('keeps to 80 columns, unless one word is longer', () => {
    const long = wrap(`${'word '.repeat(40)}${'x'.repeat(100)} end`, 15)
    assert.ok(long.every((line) => line.length <= columns || !line.trim().includes(' ')))
    assert.ok(long.length > 3)
  })

  it('aligns columns by what is not extraordinarily long', () => {
    const [short, long] = table([
      ['a', 'b', 'c'],
      ['a'.repeat(60), 'b', 'c'],
    ])
    assert.equal(short, '  a  b  c')
    assert.equal(long, `  ${'a'.repeat(60)}  b  c`)
  })
})
