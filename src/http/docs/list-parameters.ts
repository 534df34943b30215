import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import { type Collection, indexesOf, kindOfField } from '../../collection/declaration/declaration.ts'
import { aggregateLimits } from '../../collection/query/aggregate-query.ts'
import { listLimits } from '../../collection/query/list-query.ts'
import { askedPaths } from './asked-paths.ts'
import { expandable } from './collection-schemas.ts'
import type { ComponentReference, Parameter } from './document.ts'
import { filterParameters } from './filter-parameters.ts'

/** The query parameters of a collection: as components, and the references of each operation that has them. */
export interface ListedParameters {
  readonly components: Readonly<Record<string, Parameter>>
  readonly filter: readonly ComponentReference[]
  readonly list: readonly ComponentReference[]
  readonly aggregate: readonly ComponentReference[]
  /** One for each field of a unique key. */
  readonly keys: readonly ComponentReference[]
}

/** A reference to a parameter among the components. */
export function parameterReference(name: string): ComponentReference {
  return { $ref: `#/components/parameters/${name}` }
}

/** The query parameters that this caller may send. Lists at commas are text: clients would repeat the name of an array. */
export function queryParameters(collection: Collection, visible: VisibleFields, mostPaths: number): ListedParameters {
  const { name } = collection
  const filter = filterParameters(name, askedPaths(collection, visible, mostPaths))
  const names = [...visible.asked]
  const example = names.find((one) => Object.hasOwn(collection.fields, one)) ?? 'id'
  const sorted = names.filter((one) => !/^(?:object|array)$/.test(collection.fields[one]?.type ?? ''))
  const [indexed = 'id'] = indexesOf(collection)
    .flatMap(({ fields }) => fields.slice(0, 1))
    .filter((one) => visible.asked.has(one))
  const own: Readonly<Record<string, Parameter>> = {
    sort: commaList(
      'sort',
      `Up to ${listLimits.sortKeys} of ${sorted.join(', ')}; \`-\` descends. An index must serve it, or "maxRows".`,
      `-${indexed}`,
    ),
    fields: commaList('fields', `Rows have these fields alone, in this order: ${names.join(', ')}.`, `id,${example}`),
    ...expandParameter(collection, visible),
    ...aggregateParameters(collection, visible, example),
  }
  const keyOf = (one: string): string => `${name}..${one}`
  const refer = (...ones: readonly string[]): readonly ComponentReference[] =>
    ones.map((one) => parameterReference(keyOf(one)))
  const shared = (...ones: readonly string[]): readonly ComponentReference[] => ones.map(parameterReference)
  const conditions = [...[...filter.keys()].map(parameterReference), ...shared('where')]
  const expand = own.expand === undefined ? [] : refer('expand')
  return {
    components: {
      ...Object.fromEntries(filter),
      ...Object.fromEntries(Object.entries(own).map(([one, parameter]) => [keyOf(one), parameter])),
    },
    filter: conditions,
    list: [
      ...shared('limit', 'cursor', 'page', 'count', 'format'),
      ...refer('sort', 'fields'),
      ...expand,
      ...conditions,
    ],
    aggregate: [...refer('select', 'group', 'groupSort', 'groupLimit'), ...conditions],
    keys: keyFields(collection)
      .map((field) => `${name}.${field}..eq`)
      .filter((key) => filter.has(key))
      .map(parameterReference),
  }
}

/** The fields of unique keys. */
function keyFields(collection: Collection): readonly string[] {
  return [...new Set(indexesOf(collection).flatMap(({ fields, unique }) => (unique === true ? fields : [])))]
}

/** The example is in words: Swagger UI sends one that is a keyword. */
function commaList(name: string, description: string, example: string): Parameter {
  return {
    name,
    in: 'query',
    description: `${description} Joined by commas: \`${example}\`.`,
    schema: { type: 'string' },
  }
}

/** Nothing where no field is a reference. */
function expandParameter(collection: Collection, visible: VisibleFields): { readonly expand?: Parameter } {
  const references = expandable(collection, visible)
  const [first] = references
  if (first === undefined) return {}
  const shown = references.map(([field, to]) => `${field} (${to})`).join(', ')
  const limit = `up to ${listLimits.expansions}, ${listLimits.expansionDepth} deep`
  return { expand: commaList('expand', `Adds the rows that these refer to: ${shown}; ${limit}.`, first[0]) }
}

function aggregateParameters(
  { fields }: Collection,
  { asked }: VisibleFields,
  example: string,
): Readonly<Record<string, Parameter>> {
  const number = Object.keys(fields).find((name) => {
    const kind = asked.has(name) && fields[name] !== undefined ? kindOfField(fields[name]) : null
    return kind === 'integer' || kind === 'number' || kind === 'decimal' || kind === 'int64'
  })
  return {
    select: commaList(
      'select',
      '`count`, or a field with `:count`, `:distinct`, `:sum`, `:avg`, `:min` or `:max`.',
      number === undefined ? 'count' : `count,${number}:avg`,
    ),
    group: commaList(
      'group',
      `Up to ${aggregateLimits.groups} fields; an instant with \`:hour\`, \`:day\`, \`:month\` or \`:year\` (UTC).`,
      example,
    ),
    groupSort: commaList('sort', 'Names of `group` and `select`; `-` descends.', '-count'),
    groupLimit: {
      name: 'limit',
      in: 'query',
      description: 'The most groups.',
      schema: {
        type: 'integer',
        minimum: 1,
        maximum: aggregateLimits.answered,
        default: aggregateLimits.defaultAnswered,
      },
    },
  }
}
