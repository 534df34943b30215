/** The code of every problem that this room finds, and what it means; documentation and tests read it. */
export const collectionProblems = {
  COLLECTIONS_UNREADABLE: 'The collections folder cannot be read; no collection is served from it.',
  COLLECTIONS_NONE: 'The collections folder is empty or not there; no collection is served.',
  COLLECTION_INVALID: 'A collection is declared wrongly, or twice; it is not served, the others are.',
  TABLE_UNFIT: 'A table is there and does not fit its collection; the collection answers 503.',
  TABLE_MISSING:
    'A table lacks something that may not be added (SCHEMA_APPLY=none, or the role has no right); the collection answers 503, and the problem has the SQL.',
} as const

/** The code of a problem that this room finds. */
export type CollectionProblemCode = keyof typeof collectionProblems
