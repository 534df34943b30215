import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import { type Collection, grantsOf, isPublic } from '../../collection/declaration/declaration.ts'
import type { PathItem, PathOperation, Security } from './document.ts'
import { type ListedParameters, parameterReference } from './list-parameters.ts'
import type { DocumentedParts } from './operation-parts.ts'
import { type Documented, problemReferences } from './problem-responses.ts'
import { type ReadOperation, readOperations } from './read-operations.ts'
import { type WriteOperation, writeOperations } from './write-operations.ts'

/** The methods of each path of a collection, behind `/api/<name>`. */
const layout: Readonly<Record<string, Readonly<Record<string, ReadOperation | WriteOperation>>>> = {
  '': { get: 'list', post: 'create', put: 'put', delete: 'deleteMatching' },
  '/query': { post: 'query' },
  '/aggregate': { get: 'aggregate' },
  '/schema': { get: 'schema' },
  '/{id}': { get: 'get', put: 'replace', patch: 'change', delete: 'delete' },
}

/** The paths of a collection, without the operations that no one may perform. */
export function collectionPaths(
  collection: Collection,
  visible: VisibleFields,
  parameters: ListedParameters,
): Record<string, PathItem> {
  const parts = { ...readOperations(collection.name, parameters), ...writeOperations(collection, visible, parameters) }
  const paths: Record<string, PathItem> = {}
  for (const [suffix, methods] of Object.entries(layout)) {
    const open = Object.entries(methods).filter(([, one]) => !isClosed(collection, parts[one]))
    if (open.length === 0) continue
    const operations = open.map(([method, one]) => [method, operationOf(collection, one, parts[one])])
    const shared = suffix === '/{id}' ? { parameters: [parameterReference('id')] } : {}
    paths[`/api/${collection.name}${suffix}`] = { ...shared, ...Object.fromEntries(operations) }
  }
  return paths
}

/** True if no one may perform the operation, not even the admin. */
function isClosed(collection: Collection, { needs }: DocumentedParts): boolean {
  return needs.some((one) => grantsOf(collection, one).every((grant) => grant === 'none'))
}

function operationOf(
  collection: Collection,
  documented: Documented,
  { summary, description, needs, parameters, body, answers }: DocumentedParts,
): PathOperation {
  return {
    tags: [collection.name],
    operationId: `${documented}_${collection.name}`,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters: [...parameters] }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: { ...answers, ...problemReferences(documented) },
    security: securityOf(needs.every((one) => isPublic(collection, one))),
  }
}

/** A token is optional where everyone may ask, and needed elsewhere. */
export function securityOf(isOpen: boolean): Security {
  return [...(isOpen ? [{}] : []), { bearer: [] }, { holdfastToken: [] }]
}
