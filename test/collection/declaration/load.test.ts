import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkCollections, loadCollections } from '../../../src/collection/declaration/load.ts'
import { makeTempDir, writeFiles } from '../../support/temp.ts'
import { within } from '../../support/until.ts'
import { feedback } from '../support.ts'

const good = JSON.stringify(feedback)

describe('the collections folder', () => {
  it('is read file by file: what is wrong is told, the rest is served', async (t) => {
    const cwd = await makeTempDir(t)
    await writeFiles(cwd, {
      'c/a-broken.json': '{\n  "name": "a",\n  nope',
      'c/b.json': JSON.stringify({ ...feedback, name: 'b', fields: { rating: { type: 'integer', minimun: 1 } } }),
      'c/c.json': good,
      'c/d-twin.json': good,
      'c/e-bytes.json': new Uint8Array([0x7b, 0xff, 0x7d]),
      'c/f-large.json': `${' '.repeat(300 * 1024)}{}`,
      'c/g.json/inner.txt': 'a folder with the name of a file',
      'c/notes.txt': 'not a collection',
      'c/.hidden.json': 'nor this',
    })
    const { collections, problems } = await loadCollections('c', cwd)
    assert.deepEqual(
      collections.map(({ name }) => name),
      ['feedback'],
    )
    assert.deepEqual(problems.map(({ setting }) => setting).sort(), [
      'c/a-broken.json#',
      'c/b.json#/fields/rating/minimun',
      'c/d-twin.json#/name',
      'c/e-bytes.json#',
      'c/f-large.json#',
      'c/g.json#',
    ])
    for (const problem of problems) {
      assert.equal(problem.severity, 'error')
      assert.notEqual(problem.suggestion, '')
    }
    const broken = problems.find(({ setting }) => setting === 'c/a-broken.json#')
    assert.match(broken?.message ?? '', /line 3/)
    const twin = problems.find(({ setting }) => setting === 'c/d-twin.json#/name')
    assert.match(twin?.message ?? '', /c\/c\.json/)
  })

  it('reads no more of a file than a collection may have, whatever size the system gives', async (t) => {
    const cwd = await makeTempDir(t)
    await writeFiles(cwd, { 'c/c.json': good })
    // /proc says that a process's own map of pages has 0 bytes; it has terabytes, and takes no odd reads.
    await symlink('/proc/self/pagemap', join(cwd, 'c/huge.json'))
    const { collections, problems } = await within(loadCollections('c', cwd), 10_000)
    assert.equal(collections.length, 1)
    assert.equal(problems.length, 1)
    assert.match(
      problems[0]?.message ?? '',
      /^The file (is larger than 262144 bytes|cannot be read \(EINVAL\)|is not readable .*)\.$/,
    )
  })

  it('keeps the collection of the file that is called like it, whatever copies of it come before', async (t) => {
    const cwd = await makeTempDir(t)
    const other = JSON.stringify({ ...feedback, name: 'apples' })
    const copy = JSON.stringify({ ...feedback, description: 'copied and not yet renamed' })
    await writeFiles(cwd, { 'c/answers.json': copy, 'c/feedback.json': good, 'c/zebra.json': other })
    const { collections, problems } = await loadCollections('c', cwd)
    assert.deepEqual(collections, [feedback, { ...feedback, name: 'apples' }])
    assert.deepEqual(
      problems.map(({ setting }) => setting),
      ['c/answers.json#/name'],
    )
    assert.match(problems[0]?.message ?? '', /declared in c\/feedback\.json/)
  })

  it('may be absent or empty, which is told with the whole path, and is an error where somebody named it', async (t) => {
    const cwd = await makeTempDir(t)
    await writeFiles(cwd, { 'empty/notes.txt': 'not a collection' })
    for (const folder of ['c', 'empty']) {
      const { collections, problems: told } = await loadCollections(folder, cwd)
      assert.deepEqual(collections, [])
      assert.deepEqual(
        told.map(({ code, severity }) => [code, severity]),
        [['COLLECTIONS_NOT_FOUND', 'info']],
      )
      assert.ok(told[0]?.message.includes(` ${join(cwd, folder)} `), told[0]?.message)
    }
    const { problems } = await loadCollections('c', cwd, true)
    assert.deepEqual(
      problems.map(({ code, setting }) => [code, setting]),
      [['COLLECTIONS_UNREADABLE', 'collections.dir']],
    )
  })

  it('that is a file is told and stops nothing', async (t) => {
    const cwd = await makeTempDir(t)
    await writeFiles(cwd, { c: 'x' })
    const { collections, problems } = await loadCollections('c', cwd)
    assert.deepEqual(collections, [])
    assert.match(problems[0]?.message ?? '', /ENOTDIR/)
  })

  it('serves a hundred collections and names those beyond', async (t) => {
    const cwd = await makeTempDir(t)
    const files = Array.from({ length: 101 }, (_, n) => [
      `c/${1000 + n}.json`,
      JSON.stringify({ ...feedback, name: `c${n}` }),
    ])
    await writeFiles(cwd, Object.fromEntries(files))
    const { collections, problems } = await loadCollections('c', cwd)
    assert.equal(collections.length, 100)
    assert.deepEqual(
      problems.map(({ setting }) => setting),
      ['c/1100.json#'],
    )
  })
})

describe('references between collections', () => {
  const parent = { name: 'parents', fields: { a: { type: 'boolean' } } }
  const child = (name: string, collection: string, onDelete = 'restrict') => ({
    name,
    fields: { of: { type: 'string', format: 'uuid', references: { collection, onDelete } } },
  })

  /** The collections that are served of these, and where the others are wrong. */
  const served = (...all: readonly object[]) => {
    const { collections, problems } = checkCollections(all)
    return [collections.map(({ name }) => name), problems.map(({ setting }) => setting)]
  }
  const at = (position: number) => `options.collections[${position}]#/fields/of/references`

  it('lead to collections that are served, themselves included', () => {
    assert.deepEqual(served(child('children', 'parents'), parent), [['children', 'parents'], []])
    assert.deepEqual(served(child('nodes', 'nodes', 'setNull')), [['nodes'], []])
  })

  it('to nothing cost the collection, and those that refer to it', () => {
    assert.deepEqual(served(child('a', 'b'), child('b', 'gone'), parent), [['parents'], [at(1), at(0)]])
    const { problems } = checkCollections([child('b', 'gone')])
    assert.match(problems[0]?.message ?? '', /"gone", which is not served/)
  })

  it('may not cascade in a circle', () => {
    assert.deepEqual(served(child('a', 'b', 'cascade'), child('b', 'a', 'cascade')), [[], [at(0), at(1)]])
    assert.deepEqual(served(child('a', 'a', 'cascade')), [[], [at(0)]])
    assert.deepEqual(served(child('a', 'b', 'cascade'), child('b', 'a', 'setNull')), [['a', 'b'], []])
    assert.deepEqual(served(child('a', 'b', 'cascade'), child('b', 'parents', 'cascade'), parent), [
      ['a', 'b', 'parents'],
      [],
    ])
  })
})

describe('what is wrong with a declaration', () => {
  it('is told in plain words, with the name that was meant', () => {
    const given = {
      name: 'notes',
      acess: {},
      fields: { a: { type: 'strng' }, b: { type: 'string', maxLenght: 3 }, c: { type: 'integer', minimum: 'one' } },
    }
    const { problems } = checkCollections([given, { fields: {} }])
    const told = problems.map(({ setting, message, suggestion }) => `${setting.slice(22)} ${message} ${suggestion}`)
    assert.ok(told.includes('#/acess "acess" is not a known key. Did you mean "access"?'), told.join('\n'))
    assert.ok(told.some((one) => /#\/fields\/a\/type "type" accepts: string, .* Did you mean "string"\?$/.test(one)))
    assert.ok(told.includes('#/fields/b/maxLenght "maxLenght" is not a known key. Did you mean "maxLength"?'))
    assert.ok(told.some((one) => one.startsWith('#/fields/c/minimum "minimum" must be a number.')))
    assert.ok(told.some((one) => one.startsWith('#/name "name" is missing.')))
  })
})

describe('each keyword of a declaration', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ name: 'Notes' }, '"Notes" is not a valid name. Names are letters, digits and "_"'],
    [{ fields: { A: { type: 'string' } } }, '"A" is not a valid name.'],
    [
      { fields: { a: { type: 'string', format: 'dat' } } },
      '"format" accepts: date-time, date, uuid, email, uri, decimal, int64.',
    ],
    [{ fields: { a: { type: 'string', enum: [] } } }, '"enum" must not be empty.'],
    [{ fields: { a: { type: 'integer', enum: [1, 1] } } }, '"enum" must not contain a value twice.'],
    [{ fields: {} }, '"fields" must not be empty.'],
    [{ required: [7] }, 'An entry of "required" must be a string.'],
    [{ maxRows: 0 }, '"maxRows" must be at least 1.'],
    [{ rateLimit: { requests: 1, windowS: 1e9 } }, '"windowS" must be at most 86400.'],
    [{ description: 'x'.repeat(1_001) }, '"description" may have at most 1000 characters.'],
    [{ indexes: Array.from({ length: 11 }, () => ({ fields: ['a'] })) }, '"indexes" may have at most 10 entries.'],
  ]
  for (const [part, message] of cases) {
    it(`has its own sentence: ${message}`, () => {
      const { problems } = checkCollections([{ name: 'notes', fields: { a: { type: 'string' } }, ...Object(part) }])
      assert.equal(problems.length, 1, JSON.stringify(problems))
      assert.ok(problems[0]?.message.startsWith(message), problems[0]?.message)
    })
  }
})

describe('collections given in code', () => {
  it('are checked as files are', () => {
    const { collections, problems } = checkCollections([feedback, { name: 'x' }, 7])
    assert.deepEqual(collections, [feedback])
    assert.deepEqual(
      problems.map(({ setting }) => setting),
      ['options.collections[1]#/fields', 'options.collections[2]#'],
    )
    assert.deepEqual(problems[0]?.origin, { from: 'options' })
  })
})
