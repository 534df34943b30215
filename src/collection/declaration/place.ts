import type { Collection } from './declaration.ts'

const places = new WeakMap<Collection, string>()

/** Notes where a declaration was found: its file, or its position among the options. */
export function notePlace(collection: Collection, place: string): void {
  places.set(collection, place)
}

/** The setting to name in a problem with this collection: file (or option) and JSON pointer. */
export function placeOf(collection: Collection, pointer = ''): string {
  return `${places.get(collection) ?? `collection ${collection.name}`}#${pointer}`
}
