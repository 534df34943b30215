import { escapePointer } from './ajv.ts'
import type { Defect } from './check-field.ts'
import { type Collection, type OnDelete, referenceOf } from './declaration.ts'

/** The fields of a collection that refer to others, by name. */
export function referencesOf({
  fields,
}: Pick<Collection, 'fields'>): ReadonlyMap<string, { readonly collection: string; readonly onDelete: OnDelete }> {
  const found = Object.entries(fields).flatMap(([name, field]) => {
    const reference = referenceOf(field)
    return reference === null ? [] : [[name, reference] as const]
  })
  return new Map(found)
}

/** The collections of which each reference leads to another of them, and why the rest cannot be served. */
export function resolveReferences(collections: readonly Collection[]): {
  readonly resolved: readonly Collection[]
  readonly unresolved: readonly { readonly collection: Collection; readonly defect: Defect }[]
} {
  let resolved = collections
  const unresolved: { readonly collection: Collection; readonly defect: Defect }[] = []
  for (;;) {
    const found = resolved.flatMap((collection) => {
      const defect = unknownReference(collection, resolved) ?? cascadeCycle(collection, resolved)
      return defect === null ? [] : [{ collection, defect }]
    })
    if (found.length === 0) return { resolved, unresolved }
    unresolved.push(...found)
    // Without one, another may refer to nothing.
    resolved = resolved.filter((one) => found.every(({ collection }) => collection !== one))
  }
}

function unknownReference(collection: Collection, all: readonly Collection[]): Defect | null {
  for (const [field, reference] of referencesOf(collection)) {
    if (all.some(({ name }) => name === reference.collection)) continue
    return {
      pointer: `/fields/${escapePointer(field)}/references`,
      message: `"${field}" refers to the collection "${reference.collection}", which is not served. This one is not either.`,
      suggestion: `Declare "${reference.collection}", fix it, or remove "references".`,
    }
  }
  return null
}

/** A delete would never know where it ends. */
function cascadeCycle(collection: Collection, all: readonly Collection[]): Defect | null {
  for (const [field, { collection: parent, onDelete }] of referencesOf(collection)) {
    if (onDelete !== 'cascade' || !cascadesTo(parent, collection.name, all, new Set())) continue
    return {
      pointer: `/fields/${escapePointer(field)}/references`,
      message: `A delete in "${collection.name}" would cascade back to "${collection.name}". It is not served.`,
      suggestion: 'Use "restrict" or "setNull" in one of the references of the circle.',
    }
  }
  return null
}

/** True if a delete in `child` leads by cascades to one in `parent`: it refers to it, perhaps by way of others. */
function cascadesTo(parent: string, child: string, all: readonly Collection[], seen: Set<string>): boolean {
  if (parent === child) return true
  if (seen.has(parent)) return false
  seen.add(parent)
  const found = all.find(({ name }) => name === parent)
  if (found === undefined) return false
  return [...referencesOf(found).values()].some(
    ({ collection, onDelete }) => onDelete === 'cascade' && cascadesTo(collection, child, all, seen),
  )
}
