import type { Collection } from '../../../src/collection/declaration/declaration.ts'

/** Every kind of field and every keyword that the documentation tells. */
export const orders: Collection = {
  name: 'orders',
  description: 'What customers buy.',
  fields: {
    title: { type: 'string', minLength: 3, maxLength: 120, description: 'A name.' },
    state: { type: 'string', enum: ['open', 'paid'], default: 'open' },
    slug: { type: 'string', maxLength: 40, unique: true },
    price: { type: 'string', format: 'decimal', scale: 2 },
    units: { type: 'string', format: 'int64' },
    stock: { type: 'integer', minimum: 0, maximum: 100 },
    weight: { type: 'number' },
    isGift: { type: 'boolean', default: false },
    day: { type: 'string', format: 'date', default: 'today' },
    placedAt: { type: 'string', format: 'date-time', default: 'now' },
    mail: { type: 'string', format: 'email' },
    page: { type: 'string', format: 'uri' },
    customer: { type: 'string', format: 'uuid', references: 'customers' },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5 },
    meta: {
      type: 'object',
      properties: { lang: { type: 'string' }, size: { type: 'object', properties: { width: { type: 'integer' } } } },
    },
    notes: { type: 'object' },
    limit: { type: 'integer' },
    margin: { type: 'integer', private: true },
    approved: { type: 'boolean', readOnly: true },
    password: { type: 'string', writeOnly: true, maxLength: 100 },
    author: { type: 'string', maxLength: 100 },
  },
  required: ['title', 'stock'],
  owner: 'author',
  ids: 'client',
  indexes: [{ fields: ['state'] }],
  access: { list: 'public', get: 'public', create: 'token', update: 'owner', delete: 'admin' },
}

export const customers: Collection = {
  name: 'customers',
  fields: { name: { type: 'string', maxLength: 100 }, team: { type: 'string', format: 'uuid', references: 'teams' } },
  required: ['name'],
  access: { list: 'public', get: 'public', create: 'public', update: 'none', delete: 'none' },
}

export const teams: Collection = { name: 'teams', fields: { name: { type: 'string' } } }

export const documented: readonly Collection[] = [orders, customers, teams]
