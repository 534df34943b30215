import type { Collection } from '../../../../src/collection/declaration/declaration.ts'

/** A collection with a field of each kind, keys, references, and fields that not everyone sees. */
export const tickets: Collection = {
  name: 'tickets',
  fields: {
    rating: { type: 'integer', minimum: 1, maximum: 5, index: true },
    votes: { type: 'integer' },
    real: { type: 'number' },
    model: { type: 'string', maxLength: 40 },
    comment: { type: 'string', maxLength: 2_000 },
    done: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    ref: { type: 'string', format: 'uuid' },
    price: { type: 'string', format: 'decimal', scale: 2 },
    big: { type: 'string', format: 'int64' },
    tags: { type: 'array', items: { type: 'string', maxLength: 40 } },
    list: { type: 'array' },
    meta: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        lang: { type: 'string', maxLength: 10 },
        deep: { type: 'object', properties: { cost: { type: 'string', format: 'decimal', scale: 1 } } },
      },
    },
    limit: { type: 'integer' },
    owner: { type: 'string', format: 'uuid', references: 'people' },
    secret: { type: 'string', maxLength: 40, private: true },
    password: { type: 'string', maxLength: 40, writeOnly: true },
  },
  indexes: [{ fields: ['model', 'at'] }],
  access: { list: 'public', get: 'public', create: 'public' },
}

/** What tickets refer to. */
export const people: Collection = {
  name: 'people',
  fields: {
    name: { type: 'string', maxLength: 40 },
    boss: { type: 'string', format: 'uuid', references: 'people' },
    hidden: { type: 'string', format: 'uuid', references: 'people', private: true },
  },
  access: { list: 'public', get: 'public' },
}

/** A row of tickets as the admin writes it. */
export const ticket: Readonly<Record<string, unknown>> = {
  rating: 4,
  votes: 12,
  real: 0.5,
  model: 'm7',
  comment: 'It crashes, "often".',
  done: false,
  at: '2026-01-31T12:00:00.000Z',
  day: '2026-01-31',
  ref: 'aaaaaaaa-0000-4000-8000-00000000000f',
  price: '12.50',
  big: '9007199254740993',
  tags: ['a', 'b'],
  list: [1],
  meta: { size: 3, lang: 'en', deep: { cost: '1.5' }, other: true },
  limit: 5,
  secret: 'TOPSECRET',
  password: 'HUNTER2',
}
