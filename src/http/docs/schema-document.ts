import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { changeSchema, createSchema, rowSchema } from './row-schemas.ts'

/** The schema of a row as a document of its own; `$defs` has the bodies of a create and of a change. */
export function schemaDocument(collection: Collection, visible: VisibleFields): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: collection.name,
    ...rowSchema(collection, visible),
    $defs: { create: createSchema(collection, visible, 'keywords'), change: changeSchema(collection, visible) },
  }
}
