import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Image, ImageTable } from '../driver/facet/image.ts'
import type { Replay, RowUpdate } from '../driver/facet/replay.ts'
import { type Bench, type BenchStore, carriedTable, limits, openStore, slackMs, within } from './bench.ts'
import { engineTest, rejection, using } from './connection.ts'
import { exactImages, imageOf, inReplay, replayOf } from './feed/feed-bench.ts'

type EngineTest = ReturnType<typeof engineTest>

/** The engine's `replay`. */
export function conformReplay(bench: () => Bench): void {
  const test = engineTest(bench, 'replay')
  const other: OtherStore = (store) => openStore(bench(), { target: store.target, made: true })
  conformReplayedClaims(bench, test, other)
  conformReplayedRows(test)
  conformGuards(test, other)
  conformRefusals(test)
  conformLetters(test)
}

/** Opens another store on the same database. */
type OtherStore = (store: BenchStore) => Promise<BenchStore>

function conformReplayedClaims(bench: () => Bench, test: EngineTest, other: OtherStore): void {
  test('claims many attempts in replay, and gives those that were new', async (store) => {
    const attempts = draw(1_200)
    const [known = '', answered = '', undone = ''] = attempts
    assert.deepEqual(await inReplay(store, ({ claim }) => claim([])), new Set())
    await inReplay(store, ({ claim }) => claim([known]))
    await store.orm.em.fork().execute(`insert into holdfast_request (id) values ('${answered}')`)
    const failing = inReplay(store, async ({ claim }) => {
      assert.deepEqual(await claim([undone]), new Set([undone]))
      assert.deepEqual(await claim([undone]), new Set())
      throw new Error('on purpose')
    })
    await assert.rejects(failing, /on purpose/)
    const wanted = new Set(attempts.filter((attempt) => attempt !== known && attempt !== answered))
    assert.deepEqual(sorted(await inReplay(store, ({ claim }) => claim(attempts))), sorted(wanted))
    assert.deepEqual(await inReplay(store, ({ claim }) => claim(attempts)), new Set())
  })

  test('gives each attempt to one of two replayers that claim in opposite orders at a time', async (store) => {
    await using(await other(store), async (two) => {
      const attempts = draw(400)
      const claimIn = async (place: BenchStore, list: readonly string[]): Promise<readonly string[]> => {
        const mine: string[] = []
        for (let at = 0; at < list.length; at += 40) {
          const part = list.slice(at, at + 40)
          mine.push(...(await again(bench(), () => inReplay(place, ({ claim }) => claim(part)))))
        }
        return mine
      }
      const both = Promise.all([claimIn(store, attempts), claimIn(two, attempts.toReversed())])
      const claimed = (await within(both, 4 * (limits.queryMs + slackMs))).flat()
      assert.deepEqual(sorted(claimed), sorted(attempts))
    })
  })
}

function conformReplayedRows(test: EngineTest): void {
  test('writes the images of replay exactly, and reads them as they were', async (store) => {
    const images = exactImages()
    assert.equal(await inReplay(store, ({ insert }) => insert(carriedTable, images)), images.length)
    await assertRows(store, images)
    const others = images.map(({ id = '' }, at): Image => ({ ...images.at(-1 - at), id }))
    const updates = others.map((image, at) => ({ image, base: images[at]?.holdfast_attempt ?? null }))
    assert.equal(await inReplay(store, ({ update }) => update(carriedTable, updates)), images.length)
    await assertRows(store, others)
  })

  test('leaves columns that an image of replay lacks to their defaults', async (store) => {
    const [first, second] = [imageOf({ defaulted: 'given' }), imageOf({})]
    await inReplay(store, ({ insert }) => insert(carriedTable, [first, second, imageOf({ text: 'x' })]))
    await inReplay(store, async ({ lock, update }) => {
      const found = await lock(carriedTable, [first.id ?? '', second.id ?? ''])
      assert.equal(found.get(first.id ?? '')?.defaulted, 'given')
      assert.equal(found.get(second.id ?? '')?.defaulted, 'left')
      const image = { id: first.id ?? '', text: 'changed', holdfast_attempt: randomUUID() }
      assert.equal(await update(carriedTable, [{ image, base: first.holdfast_attempt ?? null }]), 1)
      const then = (await lock(carriedTable, [image.id])).get(image.id)
      assert.deepEqual([then?.defaulted, then?.text], ['given', 'changed'])
    })
  })

  test('replays thousands of rows, and counts them', async (store) => {
    const images = Array.from({ length: 2_500 }, (_, at) => imageOf({ order: String(at), text: 'x'.repeat(at % 400) }))
    const ids = images.map(({ id }) => id ?? '')
    assert.equal(await inReplay(store, ({ insert }) => insert(carriedTable, images)), images.length)
    const updates = images.map((image) => ({ image: { ...image, order: '7' }, base: image.holdfast_attempt ?? null }))
    assert.equal(await inReplay(store, ({ update }) => update(carriedTable, updates)), images.length)
    const found = await inReplay(store, ({ lock }) => lock(carriedTable, [...ids, randomUUID()]))
    assert.deepEqual(sorted(found.keys()), sorted(ids))
    assert.ok([...found.values()].every(({ order }) => order === '7'))
    const removals = images.map(({ id, holdfast_attempt: base }) => ({ id: id ?? '', base: base ?? null }))
    assert.equal(await inReplay(store, ({ remove }) => remove(carriedTable, removals)), images.length)
    assert.equal((await inReplay(store, ({ lock }) => lock(carriedTable, ids))).size, 0)
    for (const none of ['insert', 'update', 'remove'] as const) {
      assert.equal(await inReplay(store, (replay) => replay[none](carriedTable, [])), 0)
    }
  })
}

function conformGuards(test: EngineTest, other: OtherStore): void {
  test('replays over no row that names another attempt than the base', async (store) => {
    const [named, nameless] = [imageOf({ text: 'named' }), imageOf({ text: 'nameless', holdfast_attempt: null })]
    const base = named.holdfast_attempt ?? null
    await inReplay(store, ({ insert }) => insert(carriedTable, [named, nameless]))
    const wrong: readonly RowUpdate[] = [
      { image: { ...named, text: 'wrong' }, base: randomUUID() },
      { image: { ...nameless, text: 'wrong' }, base: randomUUID() },
    ]
    const gone: RowUpdate = { image: imageOf({ text: 'wrong' }), base: null }
    await inReplay(store, async ({ update, remove }) => {
      assert.equal(await update(carriedTable, [...wrong, gone]), 0)
      assert.equal(await update(carriedTable, [{ image: { ...named, text: 'wrong' }, base: null }]), 0)
      const removals = [...wrong, gone].map(({ image, base: one }) => ({ id: image.id ?? '', base: one }))
      assert.equal(await remove(carriedTable, removals), 0)
      assert.equal(await remove(carriedTable, [{ id: named.id ?? '', base: null }]), 0)
    })
    await assertRows(store, [named, nameless])
    await inReplay(store, async ({ update, remove }) => {
      const right = { image: { ...nameless, text: 'right' }, base: null }
      assert.equal(await update(carriedTable, [...wrong, right, { image: named, base }]), 2)
      assert.equal(await remove(carriedTable, [{ id: nameless.id ?? '', base: null }]), 1)
    })
    await assertRows(store, [named])
  })

  test('locks rows for replay behind a change of another transaction, and reads the newest version', async (store) => {
    const image = imageOf({ text: 'before' })
    const [id, base] = [image.id ?? '', image.holdfast_attempt ?? null]
    await inReplay(store, ({ insert }) => insert(carriedTable, [image]))
    await using(await other(store), async (two) => {
      const [inside, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const writer = inReplay(two, async ({ update }) => {
        await update(carriedTable, [{ image: { ...image, text: 'after' }, base }])
        inside.resolve()
        await over.promise
      })
      await inside.promise
      const reader = store.orm.em.fork().transactional(async (em) => {
        // The view of a transaction may begin here.
        await em.execute('select * from conformance_carried')
        const locking = replayOf(store).lock(carriedTable, [id])
        locking.catch(() => {})
        // Whatever does not wait is over by then.
        for (let round = 0; round < 3; round += 1) await two.orm.em.fork().execute('select 1')
        over.resolve()
        return (await locking).get(id)?.text
      })
      assert.equal(await within(reader, limits.queryMs + slackMs), 'after')
      await writer
    })
  })
}

function conformRefusals(test: EngineTest): void {
  /** Why the rows are refused; the whole transaction is undone. */
  const refusal = async (store: BenchStore, work: (replay: Replay) => Promise<unknown>): Promise<unknown> =>
    replayOf(store).refusalOf(await rejection(inReplay(store, work)))

  test('tells in replay a missing table from a missing column', async (store) => {
    const image = imageOf({})
    const [name, more] = ['conformance_nowhere', { name: 'nothing', kind: 'text' } as const]
    const wider: ImageTable = { ...carriedTable, columns: [...carriedTable.columns, more] }
    const removals = [{ id: image.id ?? '', base: null }]
    for (const work of [
      ({ insert }: Replay) => insert({ ...carriedTable, name }, [image]),
      ({ lock }: Replay) => lock({ ...carriedTable, name }, [image.id ?? '']),
      ({ remove }: Replay) => remove({ ...carriedTable, name }, removals),
    ]) {
      assert.equal(await refusal(store, work), 'table-missing')
    }
    for (const work of [
      ({ insert }: Replay) => insert(wider, [{ ...image, nothing: 'x' }]),
      ({ insert }: Replay) => insert(carriedTable, [{ ...image, nothing: 'x' }]),
      ({ update }: Replay) => update(wider, [{ image: { ...image, nothing: 'x' }, base: null }]),
      ({ lock }: Replay) => lock(wider, [image.id ?? '']),
    ]) {
      assert.equal(await refusal(store, work), 'column-missing')
    }
  })

  test('tells in replay rows that the table refuses from anything else', async (store) => {
    const taken = imageOf({ key: 'taken' })
    await inReplay(store, ({ insert }) => insert(carriedTable, [taken]))
    const refused = (image: Image): Promise<unknown> =>
      refusal(store, ({ insert }) => insert(carriedTable, [imageOf({ text: 'good' }), image]))
    assert.equal(await refused(imageOf({ key: 'taken' })), 'unique')
    assert.equal(await refused({ ...imageOf({}), id: taken.id ?? '' }), 'unique')
    assert.equal(await refused(imageOf({ required: null })), 'refused')
    assert.equal(await refused(imageOf({ key: 'k'.repeat(41) })), 'refused')
    assert.equal(await refused(imageOf({ order: '9223372036854775808' })), 'refused')
    assert.equal(await refused(imageOf({ order: 'many' })), 'refused')
    assert.equal(await refused(imageOf({ ratio: 'much' })), 'refused')
    assert.equal(await refused(imageOf({ createdAt: 'soon' })), 'refused')
    assert.equal(await refused(imageOf({ data: '{"a":1},{"id":"x"' })), 'refused')
    await assertRows(store, [taken])
    const { refusalOf } = replayOf(store)
    for (const error of [
      new Error('x'),
      null,
      'x',
      await rejection(store.orm.em.fork().execute('select nothing from')),
    ]) {
      assert.equal(refusalOf(error), null)
    }
  })
}

function conformLetters(test: EngineTest): void {
  test('keeps, or refuses, a letter that not every database has', async (store) => {
    for (const text of ['a\0b', '\ud800']) {
      const image = imageOf({ text })
      const error = await inReplay(store, ({ insert }) => insert(carriedTable, [image])).then(
        () => null,
        (reason: unknown) => reason,
      )
      if (error === null && text.isWellFormed()) await assertRows(store, [image])
      else if (error !== null) assert.equal(replayOf(store).refusalOf(error), 'refused')
      await inReplay(store, ({ remove }) =>
        remove(carriedTable, [{ id: image.id ?? '', base: image.holdfast_attempt ?? null }]),
      )
    }
  })
}

/** These rows are there, with these values, and no others. */
async function assertRows(store: BenchStore, images: readonly Image[]): Promise<void> {
  const [{ n }] = (await store.orm.em.fork().execute('select count(*) as n from conformance_carried')) as [
    { n: unknown },
  ] // One row.
  assert.equal(Number(n), images.length)
  const found = await inReplay(store, ({ lock }) =>
    lock(
      carriedTable,
      images.map(({ id }) => id ?? ''),
    ),
  )
  for (const image of images) {
    const row = found.get(image.id ?? '')
    assert.ok(row)
    for (const { name, kind } of carriedTable.columns) {
      const wanted = image[name] ?? (name === 'defaulted' ? 'left' : null)
      const seen: string | null = row[name] ?? null
      if (kind === 'number' && wanted !== null)
        assert.ok(Number(seen) === Number(wanted) && seen !== null, `${seen} is ${wanted}`)
      else if (kind === 'json' && wanted !== null) assert.deepEqual(documentOf(seen), documentOf(wanted))
      else assert.equal(seen, wanted, name)
    }
  }
}

/** A JSON text as a value, in which numbers keep their digits. */
function documentOf(text: string | null): unknown {
  assert.ok(text !== null)
  return JSON.parse(
    text.replace(/([:[,\s])(-?\d[\d.]*(?:e[+-]?\d+)?)/gi, (_, before: string, number: string) => {
      return `${before}"${number.length > 15 ? number : Number(number)}"`
    }),
  )
}

/** Runs again what conflicted with another transaction, as replay does. */
async function again<T>({ driver }: Bench, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (tries > 50 || driver.classify(error, 'statement').kind !== 'transient') throw error
    }
  }
}

function draw(count: number): readonly string[] {
  return Array.from({ length: count }, () => randomUUID())
}

function sorted(texts: Iterable<string>): readonly string[] {
  return [...texts].sort()
}
