/** What the fields of a row are set to; absent: not given. */
export interface Fields {
  readonly rating?: number
  readonly comment?: string | null
  readonly model?: string | null
  readonly meta?: object | null
}

/** A row as a client sees it; `Time` is what its times are before they are JSON. */
export interface FeedbackRow<Time = string> extends Required<Fields> {
  readonly id: string
  readonly createdAt: Time
  readonly updatedAt: Time
  readonly version: number
}

/** A value at once or later: better-sqlite3 answers at once, `pg` later. */
export type Soon<T> = T | Promise<T>

/** The rows of the one collection, in some database. Each operation is a transaction of its own. */
export interface FeedbackStore<Time = string> {
  /** Newest first; `after` is the id of the last row of the page before. */
  list(limit: number, after: string | undefined): Soon<readonly FeedbackRow<Time>[]>
  get(id: string): Soon<FeedbackRow<Time> | undefined>
  /** A new row, whose times are both `now`. */
  insert(row: FeedbackRow<Time>, now: Date): Soon<unknown>
  /** Sets the fields that are given and counts the version up; the row as it is then. */
  change(id: string, fields: Fields, now: Date): Soon<FeedbackRow<Time> | undefined>
  /** False when there is no such row. */
  remove(id: string): Soon<boolean>
}

/** What `npm run bench:collections` asks beyond that. */
export interface AskedStore extends FeedbackStore {
  /** The newest rows of one model. */
  listOf(model: string, limit: number): Soon<readonly FeedbackRow[]>
  /** New rows in one transaction. */
  insertAll(rows: readonly FeedbackRow[], now: Date): Soon<unknown>
}

/** The table of the rows, the same for all contestants. */
export const createTable: Readonly<Record<'sqlite' | 'postgresql', string>> = {
  sqlite:
    'create table if not exists feedback (id text primary key, rating integer not null, comment text, model text, ' +
    'meta text, createdAt integer not null, updatedAt integer not null, version integer not null) strict',
  postgresql:
    'create table if not exists feedback (id uuid primary key, rating integer not null, comment text, ' +
    'model varchar(200), meta jsonb, "createdAt" timestamptz(3) not null, "updatedAt" timestamptz(3) not null, ' +
    'version integer not null)',
}

/** An id of a row. */
export const uuid: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Prepares a statement once for each set of fields that comes: at most fifteen. */
export function cachedByFields<T>(prepare: (names: readonly (keyof Fields)[]) => T): (fields: Fields) => T {
  const made = new Map<string, T>()
  return (fields) => {
    const names = Object.keys(fields).sort() as (keyof Fields)[] // The schema admits no others.
    const key = names.join()
    const statement = made.get(key) ?? prepare(names)
    made.set(key, statement)
    return statement
  }
}

/** The longest body that is read. */
export const bodyLimitBytes: number = 64 * 1024

/** The same of a body with many rows. */
export const bulkLimitBytes: number = 8 * 1024 * 1024

/** The version in the ETag is what a change makes new. */
export function etagOf({ id, version }: Pick<FeedbackRow, 'id' | 'version'>): string {
  return `"${id}.${version}"`
}

/** What Holdfast prints too, so that each contestant is waited for in the same way. */
export function printListening(port: number): void {
  process.stdout.write(`${JSON.stringify({ level: 'info', event: 'http.listening', port })}\n`)
}
