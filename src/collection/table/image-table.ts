import type { ImageColumn, ImageKind, ImageTable } from '../../driver/facet/image.ts'
import { type Collection, type Field, isInstant } from '../declaration/declaration.ts'

/** The table of a collection as journals and replay know it. */
export function imageTableOf(collection: Collection): ImageTable {
  const fields = Object.entries(collection.fields).map(([name, field]): ImageColumn => ({ name, kind: kindOf(field) }))
  return {
    name: collection.name,
    columns: [
      { name: 'id', kind: 'text' },
      ...fields,
      { name: 'createdAt', kind: 'instant' },
      { name: 'updatedAt', kind: 'instant' },
      { name: 'version', kind: 'integer' },
      { name: 'holdfast_attempt', kind: 'text' },
    ],
  }
}

function kindOf(field: Field): ImageKind {
  switch (field.type) {
    case 'string':
      return isInstant(field) ? 'instant' : 'text'
    case 'integer':
    case 'number':
    case 'boolean':
      return field.type
    case 'object':
    case 'array':
      return 'json'
  }
}
