import assert from 'node:assert/strict'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { AskedCollection } from '../../../src/collection/filter/paths.ts'
import { type ErrorCode, HoldfastError } from '../../../src/errors.ts'

/** A collection with keys, references and a private field. */
export const orders: Collection = {
  name: 'orders',
  fields: {
    number: { type: 'string', maxLength: 20, unique: true },
    status: { type: 'string', maxLength: 20 },
    rating: { type: 'integer', index: true },
    total: { type: 'string', format: 'decimal', scale: 2 },
    paid: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    customer: { type: 'string', format: 'uuid', references: 'customers' },
    meta: { type: 'object' },
    note: { type: 'string' },
    limit: { type: 'integer' },
    secret: { type: 'string', maxLength: 20, private: true },
  },
  indexes: [{ fields: ['status', 'total'] }, { fields: ['status', 'at'], unique: true }, { fields: ['paid'] }],
}

/** A collection that orders refer to, and that refers to a third one. */
const customers: Collection = {
  name: 'customers',
  fields: {
    team: { type: 'string', format: 'uuid', references: 'teams' },
    boss: { type: 'string', format: 'uuid', references: 'customers', private: true },
  },
}

function askedOf(collection: Collection): AskedCollection {
  const names = Object.keys(collection.fields).filter((name) => collection.fields[name]?.private !== true)
  return { collection, asked: new Set(['id', ...names, 'createdAt', 'updatedAt', 'version']) }
}

/** As everyone but the admin sees it. */
export const askedOrders: AskedCollection = askedOf(orders)

/** Only the customers may be read; their teams may not. */
export const others = (name: string): AskedCollection | undefined =>
  name === 'customers' ? askedOf(customers) : undefined

/** Checks that it throws this code, with a detail like this. */
export function refuses(read: () => unknown, code: ErrorCode, detail: RegExp = /(?:)/, pointer?: string): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof HoldfastError, String(error))
    assert.equal(error.code, code)
    assert.match(error.detail ?? '', detail)
    if (pointer !== undefined) assert.equal(error.errors?.[0]?.pointer, pointer)
    return true
  })
}
