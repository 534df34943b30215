import type { Caller } from '../../collection/access/caller.ts'
import { visibleFields } from '../../collection/access/visible-fields.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { pathsPerCollection } from './asked-paths.ts'
import { batchItem, batchSchemas } from './batch-operation.ts'
import { collectionPaths } from './collection-paths.ts'
import { collectionSchemas } from './collection-schemas.ts'
import type { OpenApi } from './document.ts'
import { queryParameters } from './list-parameters.ts'
import { problemResponses, problemSchema } from './problem-responses.ts'
import { securitySchemes, sharedHeaders, sharedParameters } from './shared-components.ts'

/** The OpenAPI 3.1 document of these collections, as this caller sees them. */
export function openApiDocument(collections: readonly Collection[], caller: Caller, version: string): OpenApi {
  const mostPaths = pathsPerCollection(collections.length)
  const described = collections.map((collection) => {
    const visible = visibleFields(collection, caller)
    const parameters = queryParameters(collection, visible, mostPaths)
    const { components } = parameters
    return {
      paths: collectionPaths(collection, visible, parameters),
      components,
      schemas: collectionSchemas(collection, visible, mostPaths),
    }
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description: 'Rows of declared collections. Each error is a problem (RFC 9457) with a `code`.',
    },
    tags: collections.map(({ name, description }) => (description === undefined ? { name } : { name, description })),
    paths: Object.assign({}, ...described.map(({ paths }) => paths), { '/api': batchItem }),
    components: {
      schemas: Object.assign({ Problem: problemSchema, ...batchSchemas }, ...described.map(({ schemas }) => schemas)),
      parameters: Object.assign({ ...sharedParameters }, ...described.map(({ components }) => components)),
      headers: { ...sharedHeaders },
      responses: { ...problemResponses() },
      securitySchemes: { ...securitySchemes },
    },
  }
}
