import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { adminCaller, publicCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import { parseListAddress } from '../../../src/collection/query/list-request.ts'
import { errorCatalogue } from '../../../src/errors.ts'
import type { Schema } from '../../../src/http/docs/document.ts'
import { openApiDocument } from '../../../src/http/docs/openapi.ts'
import { defaultCodes, problemCodes } from '../../../src/http/docs/problem-responses.ts'
import { documented, orders } from './collections.ts'

const seen = openApiDocument(documented, publicCaller, '1.2.3')

/** The document as a client reads it. */
function asRead(document: object): Record<string, never> {
  return JSON.parse(JSON.stringify(document))
}

test('a public validator agrees with the document, whoever asks and whatever is declared', async () => {
  for (const caller of [publicCaller, adminCaller]) {
    for (const collections of [documented, []]) {
      const validator = new Validator()
      const result = await validator.validate(asRead(openApiDocument(collections, caller, '1.2.3')))
      assert.deepEqual(result.errors ?? [], [])
      assert.equal(validator.version, '3.1')
    }
  }
})

test('every reference leads somewhere, and every component is used', () => {
  const document = asRead(seen)
  const references = new Set(JSON.stringify(document).match(/#\/components\/\w+\/[\w.-]+/g))
  const components: readonly string[] = Object.entries<object>(document.components ?? {}).flatMap(([kind, known]) =>
    Object.keys(known).map((name) => `#/components/${kind}/${name}`),
  )
  assert.deepEqual(
    [...references].filter((reference) => !components.includes(reference)),
    [],
  )
  assert.deepEqual(
    components.filter((one) => !references.has(one) && !one.includes('/securitySchemes/')),
    ['customers.replace', 'customers.change'].map((name) => `#/components/schemas/${name}`),
    'the bodies of operations that no one may perform',
  )
})

test('the conditions of a list are enumerated by field and operator', () => {
  const names = Object.entries(seen.components.parameters).flatMap(([key, { name }]) =>
    /^orders\.[a-z]/.test(key) ? [name] : [],
  )
  const of = (field: string): readonly string[] =>
    names.filter((name) => name === field || name.startsWith(`${field}:`)).map((name) => name.slice(field.length))
  const compared = ['', ':gt', ':gte', ':in', ':lt', ':lte', ':ne', ':nin', ':null']
  const sorted = (field: string): readonly string[] => [...of(field)].sort()
  assert.deepEqual(sorted('title'), [...compared, ':contains', ':startsWith', ':endsWith', ':icontains'].sort())
  for (const field of ['price', 'units', 'stock', 'weight', 'day', 'placedAt', 'version', 'createdAt', 'id']) {
    assert.deepEqual(sorted(field), compared, field)
  }
  assert.deepEqual(sorted('customer'), ['', ':in', ':ne', ':nin', ':null'])
  assert.deepEqual(sorted('isGift'), ['', ':ne', ':null'])
  assert.deepEqual(sorted('tags'), [':has', ':null'])
  assert.deepEqual(sorted('notes'), [':null'])
  assert.deepEqual(sorted('meta.size.width'), compared)
  assert.ok(names.includes('limit:eq') && !names.includes('limit'), 'a field named like a parameter has its operator')
  const { schema } = seen.components.parameters['orders.stock..in'] ?? {}
  assert.equal(schema?.type, 'array', 'lists repeat the name, which is the default of a parameter')
})

test('a private field is nowhere, except for the admin; nobody asks by a field that is never answered', () => {
  assert.doesNotMatch(JSON.stringify(seen), /margin/)
  const schemas = (caller: typeof publicCaller | typeof adminCaller) => {
    const all = openApiDocument(documented, caller, '1.2.3').components.schemas
    return (part: string) => Object.keys(all[part]?.properties ?? {})
  }
  const [others, admin] = [schemas(publicCaller), schemas(adminCaller)]
  for (const part of ['orders', 'orders.create', 'orders.change', 'orders.filter']) {
    assert.ok(admin(part).includes('margin'), part)
  }
  for (const field of ['approved', 'author']) {
    assert.ok(others('orders').includes(field), field)
    assert.ok(!others('orders.create').includes(field), field)
    assert.ok(admin('orders.create').includes(field), field)
  }
  assert.ok(others('orders.create').includes('password'))
  assert.ok(!admin('orders').includes('password') && !admin('orders.filter').includes('password'))
})

test('an operation has the callers whom its collection lets in, and none that no one may perform', () => {
  const methods = (path: string) => Object.keys(seen.paths[path] ?? {}).filter((method) => method !== 'parameters')
  assert.deepEqual(methods('/api/orders'), ['get', 'post', 'put', 'delete'])
  assert.deepEqual(methods('/api/orders/{id}'), ['get', 'put', 'patch', 'delete'])
  assert.deepEqual(methods('/api/customers'), ['get', 'post'])
  assert.deepEqual(methods('/api/customers/{id}'), ['get'])
  const isOpen = (path: string, method: string): boolean => {
    const operation = seen.paths[path]?.[method]
    return (
      operation !== undefined &&
      'security' in operation &&
      operation.security.some((one) => Object.keys(one).length === 0)
    )
  }
  assert.ok(isOpen('/api/orders', 'get') && isOpen('/api/orders/aggregate', 'get'))
  assert.ok(!isOpen('/api/orders', 'post') && !isOpen('/api/orders/{id}', 'patch') && !isOpen('/api/teams', 'get'))
})

test('each code of the catalogue is documented where a request may get it', () => {
  const known = new Set([...Object.values(problemCodes).flat(), ...defaultCodes])
  const undocumented = Object.keys(errorCatalogue).filter((code) => !known.has(code as keyof typeof errorCatalogue))
  assert.deepEqual(undocumented.sort(), ['ROUTE_NOT_FOUND'], 'it is no answer of a documented path')
  for (const [operation, codes] of Object.entries(problemCodes)) {
    assert.equal(new Set(codes).size, codes.length, `${operation} names a code twice`)
  }
})

test('a collection with very many fields keeps its parameters within bounds, and says that there are more', () => {
  const fields = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`f${at}`, { type: 'string' } as const]))
  const { components } = openApiDocument([{ name: 'wide', fields }], adminCaller, '1')
  assert.equal(Object.keys(components.parameters).filter((key) => /^wide\.f\d+\.\.eq$/.test(key)).length, 30)
  const many = Array.from({ length: 100 }, (_, at) => ({ name: `c${at}`, fields }))
  const size = JSON.stringify(openApiDocument(many, adminCaller, '1')).length
  assert.ok(size < 10_000_000, `${size} characters with as many collections and fields as there may be`)
  assert.equal(components.schemas['wide.filter']?.additionalProperties, true)
  assert.equal(components.schemas['customers.filter'], undefined)
  assert.equal(seen.components.schemas['customers.filter']?.additionalProperties, false)
})

test('each parameter of a list is one that a list accepts', () => {
  const of = { collection: orders, asked: visibleFields(orders, publicCaller).asked }
  const reading = { accepted: 'json', others: () => undefined } as const
  const parameters = Object.entries(seen.components.parameters).filter(([key]) => /^orders\.[a-z]/.test(key))
  assert.ok(parameters.length > 150)
  for (const [, { name, schema }] of parameters) {
    const value = encodeURIComponent(sampleOf(schema.items ?? schema))
    parseListAddress(of, `?${encodeURIComponent(name)}=${value}`, reading)
  }
  const other = () => parseListAddress(of, '?margin=1', reading)
  assert.throws(other, { code: 'QUERY_INVALID' })
})

/** A value that the schema accepts, as an address has it. */
function sampleOf(schema: Schema): string {
  const { type, format, enum: values, anyOf } = schema
  if (values !== undefined) return String(values[0])
  if (anyOf?.[0] !== undefined) return sampleOf(anyOf[0])
  const byFormat: Readonly<Record<string, string>> = {
    uuid: '019a2b4c-7d5e-7f60-8a1b-2c3d4e5f6071',
    'date-time': '2026-01-31T12:00:00+01:00',
    date: '2026-01-31',
    decimal: '12.5',
    int64: '9007199254740993',
  }
  if (format !== undefined) return byFormat[format] ?? assert.fail(format)
  return type === 'boolean' ? 'true' : type === 'string' ? 'some text' : '7'
}
