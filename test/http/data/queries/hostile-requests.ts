import { operators } from '../../../../src/collection/filter/filter.ts'
import { operatorsOf, pathOf } from '../../../../src/collection/filter/paths.ts'
import fc from '../../../support/property.ts'
import { people, ticket, tickets } from './tickets.ts'

/** A request as an attacker, or a bad client, may write it. The target is sent byte by byte as it is here. */
export interface HostileRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly isAdmin: boolean
}

const fields = Object.keys(tickets.fields)
const own = ['id', 'createdAt', 'updatedAt', 'version', 'holdfast_attempt']
const reserved = ['limit', 'cursor', 'page', 'sort', 'fields', 'expand', 'count', 'where', 'format', 'group', 'select', 'max'] // biome-ignore format: one line says it
const prototype = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf', 'then', 'toJSON']

/** What breaks out of SQL, JSON paths, patterns, headers and numbers where it is not bound. */
const injections = [
  ...["'", '"', '`', '\\', '%', '_', '%%', '--', ';', '/*', '*/', '#', '$1', '?', ':a', '@a', '$' + '{x}', '{{x}}'],
  ...["' OR '1'='1", "'; DROP TABLE tickets; --", '" OR ""="', '`; DROP TABLE `tickets', '1; DROP TABLE tickets'],
  ...["') UNION SELECT secret FROM tickets --", "\\'; DROP TABLE tickets; --", "$.meta'", '$[*]', '$**.a', '$."a"'],
  ...['a\0b', '\ud800', '\u{1f600}', '\ufeff', '\u202e', '\r\nX: y', '<script>', '../../etc/passwd', 'null', ''],
  ...['NaN', 'Infinity', '-0', '1e308', '1e999', '0x10', '9007199254740993', '-9223372036854775809', '١٢', '1_000'],
  ...['0000-00-00', '9999-12-31T23:59:60Z', '2026-02-30', '+275760-09-13T00:00:00Z', '12:00', 'now()', '2026-W01'],
]

/** Values at the edge of what each field takes, which reach the database. */
const edges: Readonly<Record<string, readonly string[]>> = {
  rating: ['0', '5', '2147483647', '2147483648', '-2147483649', '9007199254740991'],
  votes: ['-9007199254740991', '9007199254740991', '9223372036854775807', '2147483648'],
  real: ['0.1', '1e21', '5e-324', '1.7976931348623157e308', '-1e-400', '9007199254740993'],
  model: [...injections, 'x'.repeat(300), '\u{1f600}'.repeat(41)],
  comment: [...injections, 'x'.repeat(2_001)],
  done: ['true', 'false'],
  at: ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-01-31 12:00:00 00:00', '0001-01-01', '1969-12-31T23:59:59.9999Z'], // biome-ignore format: one line says it
  day: ['0001-01-01', '9999-12-31', '2024-02-29', '2026-02-30'],
  ref: ['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-ffff-ffff-ffff-ffffffffffff', '{00000000-0000-0000-0000-000000000000}'], // biome-ignore format: one line says it
  owner: ['ffffffff-ffff-ffff-ffff-ffffffffffff'],
  price: ['9999999999999999.99', '-9999999999999999.99', '0.001', '-0', '10000000000000000'],
  big: ['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-0'],
  tags: injections,
  list: ['true'],
  meta: ['true', 'false'],
  'meta.size': ['3', '9007199254740991', '-2147483649'],
  'meta.lang': injections,
  'meta.deep': ['true'],
  'meta.deep.cost': ['99999999999999999.9', '-0.1', '0'],
  'meta.x': [...injections, '3', 'true', '3.5'],
  'meta.x-y.0.Z': injections,
  id: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  createdAt: ['0001-01-01', '9999-12-31T23:59:59.999Z'],
  version: ['-1', '9007199254740991', '2147483648'],
}

const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Object.values(edges).flat()) },
  { weight: 3, arbitrary: fc.constantFrom(...injections) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)

const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...fields, ...own) },
  { weight: 2, arbitrary: fc.constantFrom('meta.size', 'meta.lang', 'meta.deep', 'meta.deep.cost', 'meta.x', 'meta.x.y') },
  { weight: 1, arbitrary: fc.constantFrom(...reserved, ...prototype, 'meta.constructor', 'meta.__proto__', 'meta.a.b.c.d.e.f.g.h.i') },
  { weight: 1, arbitrary: text },
) // biome-ignore format: one line each

const operator = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...operators) },
  { weight: 1, arbitrary: fc.constantFrom(...prototype, 'GTE', 'like', 'hour', 'month', 'sum', 'max', '') },
)

const scalar = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.constant(null))

const { where } = fc.letrec<{ where: unknown }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    fc.tuple(word, operator, fc.oneof(scalar, fc.array(scalar, { maxLength: 4 }))).map(([name, op, operand]) => one(name, one(op, operand))), // biome-ignore format: one line says it
    fc.tuple(word, scalar).map(([name, value]) => one(name, value)),
    fc.tuple(fc.constantFrom('AND', 'OR', 'and', 'NOT'), fc.array(tie('where'), { maxLength: 3 })).map(([name, list]) => one(name, list)), // biome-ignore format: one line says it
    tie('where').map((inner) => one('NOT', inner)),
    scalar,
  ),
}))

/** With a name of its own even where it is that of the prototype. */
function one(name: string, value: unknown): unknown {
  return Object.fromEntries([[name, value]])
}

const names = fc.array(fc.tuple(fc.constantFrom('', '-', ':month', ':sum', '.owner'), word).map(([mark, name]) => (mark === '-' ? `-${name}` : name + mark)), { minLength: 1, maxLength: 4 }).map((list) => list.join()) // biome-ignore format: one line says it

const asked = { collection: tickets, asked: new Set([...fields, ...own]) }

/** A condition that the language knows; the value may be none of the field's. */
const fitting = fc.constantFrom(...Object.keys(edges)).chain((name) =>
  fc.record({
    name: fc.constant(name),
    op: fc.constantFrom(...operatorsOf(pathOf(asked, name))),
    value: fc.constantFrom(...(edges[name] ?? [])),
  }),
)

/** The same in JSON: a value of the field's own type. */
const fittingWhere = fitting.map(({ name, op, value }) => {
  const typed = /^(?:rating|votes|real|version|meta\.size)$/.test(name) ? Number(value) : name === 'done' ? value === 'true' : value // biome-ignore format: one line says it
  const operand = op === 'in' || op === 'nin' ? [typed, typed] : op === 'null' ? true : typed
  return one(name, one(op, operand))
})

const logic = fc
  .tuple(fc.constantFrom('AND', 'OR', 'NOT'), fc.array(fittingWhere, { minLength: 1, maxLength: 4 }))
  .map(([name, list]) => one(name, name === 'NOT' ? list[0] : list))

const parameter = fc.oneof(
  { weight: 14, arbitrary: fitting.map(({ name, op, value }) => pair(`${name}:${op}`, op === 'null' ? 'true' : value)) },
  { weight: 5, arbitrary: fc.oneof(fittingWhere, logic).map((filter) => pair('where', JSON.stringify(filter))) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('sort', 'fields', 'group'), fc.constantFrom('-rating', 'rating', 'id', 'model', 'at:month', 'done,day', '-id')).map(([name, value]) => pair(name, value)) },
  { weight: 10, arbitrary: fc.tuple(word, fc.option(operator, { freq: 3 }), text).map(([name, op, value]) => pair(op === null ? name : `${name}:${op}`, value)) },
  { weight: 3, arbitrary: where.map((filter) => pair('where', JSON.stringify(filter) ?? '')) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('sort', 'fields', 'expand', 'group', 'select'), names).map(([name, value]) => pair(name, value)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...reserved), text).map(([name, value]) => pair(name, value)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => pair('cursor', Buffer.from(bytes).toString('base64url'))) },
  { weight: 1, arbitrary: fc.constantFrom('%', '%f', '%ff', 'a=%00', '%ed%a0%80=1', 'rating=%c3%28', '=', '&&', 'a=b=c', 'rating', 'where={', 'filter[a][gte]=1') },
) // biome-ignore format: one line each

/** As `encodeURIComponent` does, which refuses half of a surrogate pair: as bytes that are no UTF-8. */
function encoded(given: string): string {
  return given.isWellFormed() ? encodeURIComponent(given) : '%ed%a0%80'
}

function pair(name: string, value: string): string {
  return `${encoded(name).replaceAll('%3A', ':')}=${encoded(value)}`
}

/** Conditions alone, all of which the language knows. */
const fittingSearch = fc
  .uniqueArray(fitting, { minLength: 1, maxLength: 3, selector: ({ name }) => name })
  .map(
    (list) => `?${list.map(({ name, op, value }) => pair(`${name}:${op}`, op === 'null' ? 'true' : value)).join('&')}`,
  )

const search = fc.array(parameter, { maxLength: 3 }).map((list) => (list.length === 0 ? '' : `?${list.join('&')}`))

const id = fc.oneof(
  fc.constantFrom('00000000-0000-7000-8000-000000000000', 'query', 'aggregate', 'schema', '%00', '%27', '..%2f', '%ff'),
  text.map(encoded),
)

const collection = fc.oneof(
  { weight: 12, arbitrary: fc.constant('tickets') },
  { weight: 2, arbitrary: fc.constant(people.name) },
  { weight: 1, arbitrary: fc.constantFrom(...prototype, 'holdfast_attempt', 'sqlite_master', 'Tickets', '%74ickets') },
)

const path = fc.oneof(
  { weight: 6, arbitrary: collection.map((name) => `/api/${name}`) },
  { weight: 2, arbitrary: collection.map((name) => `/api/${name}/aggregate`) },
  { weight: 2, arbitrary: fc.tuple(collection, id).map(([name, row]) => `/api/${name}/${row}`) },
  { weight: 1, arbitrary: fc.constantFrom('/api', '/api/', '/api//', '/openapi.json', '/docs', '/status', '/metrics') },
)

/** A row that is right but for a few members. */
const row = fc
  .tuple(
    fc.constantFrom({}, ticket, ticket),
    fc.array(fc.oneof(fittingMember(), fc.tuple(word, fc.oneof(scalar, where))), { maxLength: 2 }),
  )
  .map(([base, changes]): unknown => ({ ...base, ...Object.fromEntries(changes) }))

/** A value of the field's own type, perhaps too large. */
function fittingMember(): fc.Arbitrary<[string, unknown]> {
  return fitting.map(({ name, value }) => {
    const isNumber = /^(?:rating|votes|real)$/.test(name)
    return [name, isNumber ? Number(value) : name === 'done' ? value === 'true' : name === 'tags' ? [value] : value]
  })
}

const body = fc.oneof(
  { weight: 4, arbitrary: row.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.array(row, { maxLength: 3 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.tuple(word, scalar).map(([name, by]) => JSON.stringify({ $inc: one(name, by) })) },
  { weight: 2, arbitrary: fc.tuple(fc.oneof(where, fittingWhere, logic), fc.oneof(names, fc.constant('-id')), scalar).map(([filter, sort, limit]) => JSON.stringify({ where: filter, sort, limit })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('POST', 'PATCH', 'PUT', 'DELETE', 'GET', 'x'), path, row).map(([method, at, value]) => JSON.stringify({ operations: [{ method, path: at, body: value }] })) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '{', '[', '{"a":1,"a":2}', '['.repeat(2_000), `{"where":${'{"NOT":'.repeat(90)}`, '{"rating":1e999}', '"\\ud800"') },
) // biome-ignore format: one line each

const headers = fc
  .array(
    fc.tuple(
      fc.constantFrom('if-match', 'if-none-match', 'idempotency-key', 'prefer', 'content-type', 'content-encoding'),
      fc.constantFrom('*', '*/*', 'application/json', 'application/x-ndjson', 'text/csv', 'image/png', '"', 'W/"x"', 'return=minimal', 'durability=primary', 'durability=x', 'max-age=0', 'application/merge-patch+json', 'application/json-patch+json', 'gzip', '"0123456789abcdef"', "';--", ',,;;=', 'q=2'),
    ),
    { maxLength: 1 },
  )
  .map((list): Readonly<Record<string, string>> => Object.fromEntries(list)) // biome-ignore format: one line each

/** Requests that go wrong in every way that was thought of; half of them reach the database. */
export const hostileRequest: fc.Arbitrary<HostileRequest> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
      target: fc.tuple(path, search).map((parts) => parts.join('')),
      headers,
      body: fc.constant(null),
      isAdmin: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      method: fc.constant('GET'),
      target: fc
        .tuple(fc.constantFrom('', '', '/aggregate'), fittingSearch)
        .map(([below, conditions]) => `/api/tickets${below}${conditions}`),
      headers: fc.constant({}),
      body: fc.constant(null),
      isAdmin: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      method: fc.constant('POST'),
      target: collection.map((name) => `/api/${name}/query`),
      headers: fc.constant({}),
      body,
      isAdmin: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'),
      target: fc.tuple(path, fc.oneof(fc.constant(''), search)).map((parts) => parts.join('')),
      headers,
      body: fc.option(body, { freq: 8 }),
      isAdmin: fc.boolean(),
    }),
  },
)
