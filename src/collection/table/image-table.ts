import type { ImageColumn, ImageTable } from '../../driver/facet/image.ts'
import { type Collection, type Field, kindOfField, type StringField } from '../declaration/declaration.ts'

/** The table of a collection as journals and replay know it. */
export function imageTableOf(collection: Collection): ImageTable {
  const fields = Object.entries(collection.fields).map(([name, field]) => imageColumnOf(name, field))
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

function imageColumnOf(name: string, field: Field): ImageColumn {
  const kind = kindOfField(field)
  switch (kind) {
    case 'decimal':
      return { name, kind, scale: (field as StringField).scale ?? 0 } // Only text has this kind.
    case 'int64':
      return { name, kind: 'integer' }
    case 'date':
    case 'uuid':
      return { name, kind: 'text' }
    case 'object':
    case 'array':
      return { name, kind: 'json' }
    default:
      return { name, kind }
  }
}
