import type { Image } from '../../driver/facet/image.ts'
import { canonicalDecimal, canonicalInt64, canonicalUuid } from './canonical.ts'
import { type Collection, type Field, isRequired, kindOfField, longestOf, type StringField } from './declaration.ts'
import { isDay } from './instant.ts'

/**
 * Why the image of a row does not match the declaration, as a clause without a value of the row; null: it does, as far as can
 * be seen at little cost.
 */
export function misfitOf(collection: Collection, image: Image): string | null {
  for (const [name, field] of Object.entries(collection.fields)) {
    const value = image[name] ?? null
    const why = value === null ? (isRequired(collection, name) ? 'is null' : null) : misfitOfField(field, value)
    if (why !== null) return `"${name}" ${why}`
  }
  return null
}

function misfitOfField(field: Field, value: string): string | null {
  switch (field.type) {
    case 'string':
      return misfitOfText(field, value)
    case 'integer':
    case 'number': {
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = field
      const number = Number(value)
      if (field.enum !== undefined && !field.enum.includes(number)) return 'is not one of the declared values'
      if (number < minimum || number > maximum) return 'is out of range'
      return field.type === 'integer' && !Number.isSafeInteger(number) ? 'is not a whole number that JSON holds' : null
    }
    case 'boolean':
      return null
    case 'object':
      return value.trimStart().startsWith('{') ? null : 'is not a JSON object'
    case 'array':
      return value.trimStart().startsWith('[') ? null : 'is not a JSON array'
  }
}

function misfitOfText(field: StringField, value: string): string | null {
  switch (kindOfField(field)) {
    case 'instant':
      return null
    case 'date':
      return isDay(value) ? null : 'is not a day of the years 1 to 9999'
    case 'uuid':
      return canonicalUuid(value) === null ? 'is not a UUID' : null
    case 'decimal':
      return canonicalDecimal(value, field.scale ?? 0) === null ? 'is not a decimal with the declared digits' : null
    case 'int64':
      return canonicalInt64(value) === null ? 'is not a whole number of 64 bits' : null
    default:
      return misfitOfPlainText(field, value)
  }
}

function misfitOfPlainText(field: StringField, value: string): string | null {
  if (field.enum !== undefined) return field.enum.includes(value) ? null : 'is not one of the declared values'
  const [minLength, maxLength] = [field.minLength ?? 0, longestOf(field)]
  // Only a text with more units than allowed can have more characters: they are counted for no other.
  if (value.length > maxLength && [...value].length > maxLength) return `is longer than ${maxLength} characters`
  return value.length < minLength ? `is shorter than ${minLength} characters` : null
}
