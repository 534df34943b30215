import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FaultError } from '../../src/driver/fault.ts'
import { loadDrivers } from '../../src/driver/load.ts'

/** A driver as a stranger might write it, in plain JavaScript. */
const body = (name: string, more = '') => `{
  contract: 1, name: '${name}', schemes: ['${name}'],
  parse: () => ({ problems: [] }), describe: () => '${name}', classify: () => ({}),
  connect: async () => [], ${more}
}`

describe('loading drivers', () => {
  let cwd = ''
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(cwd, path)), { recursive: true })
    await writeFile(join(cwd, path), text)
  }
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'holdfast-load-'))
  })
  after(async () => {
    await rm(cwd, { recursive: true })
  })

  it('takes a file, a folder, a typed folder and an installed package, exported as driver or as default', async () => {
    await write('one.mjs', `export const driver = ${body('one')}`)
    await write('two/two.mjs', `export default ${body('two')}`)
    await write('three/three.ts', `const name: string = 'three'\nexport const driver = ${body('three')}\nvoid name`)
    await write(
      'four/package.json',
      '{"type":"module","exports":{".":{"require":"./no.cjs","import":"./lib/four.js"}}}',
    )
    await write('four/lib/four.js', `export const driver = ${body('four')}`)
    await write('node_modules/@acme/five/package.json', '{"type":"module","main":"main.js"}')
    await write('node_modules/@acme/five/main.js', `export const driver = ${body('five')}`)
    await write('node_modules/six/package.json', '{"type":"module","exports":"./entry.js"}')
    await write('node_modules/six/entry.js', `export const driver = ${body('six')}`)
    await mkdir(join(cwd, 'inner'))
    const names = ['../one.mjs', join(cwd, 'two'), '../three', '../four', '@acme/five', 'six']
    const { registry, problems } = await loadDrivers(names, { cwd: join(cwd, 'inner') })
    assert.deepEqual(problems, [])
    assert.deepEqual(
      registry.all.map(({ name }) => name),
      ['one', 'two', 'three', 'four', 'five', 'six'],
    )
  })

  it('lets a plugin that lies anywhere import the contract, which is this very one', async () => {
    await write(
      'anywhere/anywhere.mjs',
      `import { defineDriver } from 'holdfast/driver'
      import { FaultError } from 'holdfast/driver-kit'
      export const driver = defineDriver(${body('anywhere', 'FaultError')})`,
    )
    const { registry, problems } = await loadDrivers(['./anywhere'], { cwd })
    assert.deepEqual(problems, [])
    assert.equal((registry.byName('anywhere') as unknown as { FaultError: unknown }).FaultError, FaultError) // Its own.
  })

  it('says of an incomplete driver what it lacks, whichever way it is exported', async () => {
    await write(
      'lacking.mjs',
      `import { defineDriver } from 'holdfast/driver'
      export const driver = defineDriver({ contract: 1, name: 'lacking', schemes: ['lacking'] })`,
    )
    await write('greedy.mjs', `import 'holdfast'`)
    const { problems } = await loadDrivers(['./lacking.mjs', './greedy.mjs'], { cwd })
    assert.doesNotMatch(problems[1]?.suggestion ?? 'install', /install/)
    assert.equal(problems[0]?.code, 'DRIVER_INVALID')
    assert.match(problems[0]?.message ?? '', /is not a driver: "parse" must be a function; /)
  })

  it('names each plugin that cannot be loaded with its remedy, and loads the rest', async () => {
    await write('syntax.mjs', 'export const driver = {')
    await write('thrower.mjs', `throw new Error('postgres://u:geheim@db/x is down')`)
    await write('odd.mjs', 'throw Object.create(null)')
    await write('client.mjs', `import 'some-client-that-is-not-there'\nexport const driver = ${body('client')}`)
    await write('part.mjs', `import './missing-part.mjs'`)
    await write('empty.mjs', 'export const other = 1')
    await write('half.mjs', `export const driver = { contract: 1, name: 'half' }`)
    await write('slow.mjs', 'await new Promise(() => {})')
    await write('newer.mjs', `export const driver = ${body('newer').replace('contract: 1', 'contract: 7')}`)
    await write('good.mjs', `export const driver = ${body('good')}`)
    const bad = ['syntax', 'thrower', 'odd', 'client', 'part', 'empty', 'half', 'slow', 'newer'].map(
      (f) => `./${f}.mjs`,
    )
    const { registry, problems } = await loadDrivers([...bad, './absent', './good.mjs'], { cwd, importTimeoutMs: 300 })
    assert.deepEqual(
      registry.all.map(({ name }) => name),
      ['good'],
    )
    const expected: readonly [string, RegExp][] = [
      ['DRIVER_LOAD_FAILED', /code cannot be read/],
      ['DRIVER_LOAD_FAILED', /fails while it is imported \(postgres:\/\/u:\*\*\*@db\/x is down\)/],
      ['DRIVER_LOAD_FAILED', /fails while it is imported \(a thrown object\)/],
      ['DRIVER_LOAD_FAILED', /needs "some-client-that-is-not-there"/],
      ['DRIVER_LOAD_FAILED', /needs ".*missing-part/],
      ['DRIVER_INVALID', /exports no driver/],
      ['DRIVER_INVALID', /not a driver: .*"parse"/],
      ['DRIVER_LOAD_FAILED', /longer than 0.3 s/],
      ['DRIVER_CONTRACT_UNSUPPORTED', /generation 7/],
      ['DRIVER_NOT_FOUND', /does not exist/],
    ]
    assert.equal(problems.length, expected.length)
    for (const [index, [code, message]] of expected.entries()) {
      const problem = problems[index]
      assert.equal(problem?.code, code)
      assert.match(problem?.message ?? '', message)
      assert.equal(problem?.part, [...bad, './absent'][index])
    }
    assert.equal(problems[3]?.suggestion, 'Run: npm install some-client-that-is-not-there')
  })

  it('waits for all plugins together as long as for one', async () => {
    const names = await Promise.all(
      ['h1', 'h2', 'h3', 'h4'].map(async (name) => {
        await write(`${name}.mjs`, 'await new Promise(() => {})')
        return `./${name}.mjs`
      }),
    )
    await write('fine.mjs', `export const driver = ${body('fine')}`)
    const startedAt = performance.now()
    const { registry, problems } = await loadDrivers([...names, './fine.mjs'], { cwd, importTimeoutMs: 400 })
    assert.ok(performance.now() - startedAt < 1_200)
    assert.equal(problems.length, 4)
    assert.ok(registry.byName('fine'))
  })

  it('proposes the house driver that was probably meant', async () => {
    const { problems } = await loadDrivers(['sqlit'], { cwd })
    assert.equal(problems[0]?.code, 'DRIVER_NOT_FOUND')
    assert.match(problems[0]?.suggestion ?? '', /Did you mean "sqlite"\?/)
  })

  it('never rejects for a name that cannot be one', async () => {
    const names = ['..', '../..', 'a\0b', 'x'.repeat(5_000), 'file://%zz', '.', '/', 'sqlite/../../etc', '%2e%2e']
    const { registry, problems } = await loadDrivers(names, { cwd })
    assert.deepEqual(registry.all, [])
    assert.equal(problems.length, names.length)
  })

  it('loads one plugin once when it is named twice, and stops at the limit', async () => {
    await write('solo.mjs', `export const driver = ${body('solo')}`)
    const twice = await loadDrivers(['./solo.mjs', ' ./solo.mjs', ''], { cwd })
    assert.equal(twice.registry.all.length, 1)
    assert.deepEqual(twice.problems, [])
    const many = await loadDrivers(
      Array.from({ length: 40 }, (_, index) => `./none-${index}`),
      { cwd },
    )
    assert.equal(many.problems.filter(({ code }) => code === 'DRIVER_NOT_FOUND').length, 32)
    assert.equal(many.problems.filter(({ code }) => code === 'DRIVER_LIMIT_EXCEEDED').length, 1)
  })
})
