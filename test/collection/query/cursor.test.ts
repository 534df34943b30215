import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FieldValue } from '../../../src/collection/declaration/canonical.ts'
import { type CursorCodec, cursorCodec } from '../../../src/collection/query/cursor.ts'
import { sealCursors } from '../../../src/collection/query/cursor-seal.ts'
import { newestFirst, readSort } from '../../../src/collection/query/sort.ts'
import { Secret } from '../../../src/config/secret.ts'
import fc from '../../support/property.ts'
import { askedOrders, orders, refuses } from './support.ts'

const id = '01932c1f-7b5a-7c3e-8a51-0123456789ab'

function codecOf(sort: string): CursorCodec {
  return cursorCodec(orders, readSort(askedOrders, sort))
}

const everything = codecOf('-total,at,status,paid')

describe('a cursor', () => {
  it('is the place behind a row, whatever its values', () => {
    const total = fc.option(fc.integer().map((cents) => (cents / 100).toFixed(2)))
    const at = fc.option(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }))
    const status = fc.option(fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')))
    fc.assert(
      fc.property(fc.tuple(total, at, status, fc.option(fc.boolean()), fc.uuid()), (after) => {
        const cursor = everything.encode({ after })
        assert.match(cursor, /^[\w-]+$/)
        assert.deepEqual(everything.decode(cursor), { after })
      }),
    )
  })

  it('keeps numbers and instants as they are', () => {
    const after: readonly FieldValue[] = [-3, id]
    assert.deepEqual(codecOf('rating').decode(codecOf('rating').encode({ after })), { after })
  })

  it('can be sealed: then no one else reads, changes or makes it', () => {
    const place = { after: ['12.50', new Date(0), 'a secret', true, id] }
    const cursor = everything.encodeSealed(place)
    const text = Buffer.from(cursor, 'base64url').toString('latin1')
    assert.ok(!text.includes('secret') && !text.includes(Buffer.from(id.replaceAll('-', ''), 'hex').toString('latin1')))
    assert.deepEqual(everything.decode(cursor), place)
    const bytes = Buffer.from(cursor, 'base64url')
    const flipped = Buffer.from(bytes)
    flipped[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1
    for (const one of [flipped, bytes.subarray(0, 20), Buffer.concat([Buffer.of(2), bytes.subarray(1)])]) {
      refuses(() => everything.decode(one.toString('base64url')), 'CURSOR_INVALID')
    }
    refuses(() => codecOf('rating').decode(cursor), 'CURSOR_INVALID')
    const copy = (secret: string) => {
      const collection = { ...orders }
      sealCursors([collection], () => new Secret(secret))
      return cursorCodec(collection, newestFirst)
    }
    const known = copy('one').encodeSealed({ after: [id] })
    assert.deepEqual(copy('one').decode(known), { after: [id] }, 'another replica')
    refuses(() => copy('two').decode(known), 'CURSOR_INVALID')
  })

  it('is 28 characters for the newest rows', () => {
    const codec = cursorCodec(orders, newestFirst)
    assert.equal(codec.encode({ after: [id] }).length, 28)
    assert.equal(codecOf('-id').encode({ after: [id] }), codec.encode({ after: [id] }))
  })

  it('of before sorts goes on in the newest rows, and nowhere else', () => {
    const old = Buffer.from(`01${id.replaceAll('-', '')}`, 'hex').toString('base64url')
    assert.deepEqual(cursorCodec(orders, newestFirst).decode(old), { after: [id] })
    refuses(() => codecOf('id').decode(old), 'CURSOR_INVALID')
    refuses(() => codecOf('rating').decode(old), 'CURSOR_INVALID')
  })

  it('is of one sort and one collection', () => {
    const cursor = codecOf('rating').encode({ after: [3, id] })
    refuses(() => codecOf('-rating').decode(cursor), 'CURSOR_INVALID')
    refuses(() => cursorCodec({ ...orders, name: 'others' }, readSort(askedOrders, 'rating')).decode(cursor), 'CURSOR_INVALID') // biome-ignore format: one line says it
  })

  it('is refused when it was forged', () => {
    const codec = codecOf('rating')
    const bytes = Buffer.from(codec.encode({ after: [3, id] }), 'base64url')
    const with_ = (values: string) => Buffer.concat([bytes.subarray(0, 21), Buffer.from(values)]).toString('base64url')
    assert.deepEqual(codec.decode(with_('["4"]')), { after: [4, id] })
    for (const values of ['', '[', '[4]', '["x"]', '["4","5"]', '[]', '{"0":"4"}', '[null', '[["4"]]', '["9007199254740993"]']) {
      refuses(() => codec.decode(with_(values)), 'CURSOR_INVALID')
    } // biome-ignore format: one line says it
    refuses(() => cursorCodec(orders, newestFirst).decode(with_('["4"]')), 'CURSOR_INVALID')
    for (const text of ['', 'x', '====', bytes.toString('base64'), `${bytes.toString('base64url')} `]) {
      if (text === bytes.toString('base64url')) continue
      refuses(() => codec.decode(text), 'CURSOR_INVALID')
    }
  })

  it('of random bytes is refused, or is a place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (random, isOurs) => {
        const head = Buffer.from(everything.encode({ after: [null, null, null, null, id] }), 'base64url').subarray(0, 5)
        const cursor = Buffer.concat([isOurs ? head : Buffer.of(), random]).toString('base64url')
        refuses(() => everything.decode(cursor), 'CURSOR_INVALID')
      }),
    )
  })
})
