import type { Collection } from './declaration.ts'

const sources = new WeakMap<Collection, string>()

/** Records where a collection was declared: its file, or its position in the options. */
export function recordSource(collection: Collection, source: string): void {
  sources.set(collection, source)
}

/** The setting that a problem with this collection names: its source and a JSON pointer. */
export function pointerInto(collection: Collection, pointer = ''): string {
  return `${sources.get(collection) ?? `collection ${collection.name}`}#${pointer}`
}
