import type { On } from '../options.ts'

/** Rows of one model. */
const rowsOfModel = 1_000

/** Each tenth row has none. */
const withoutModel = 10

const comment = 'A row of an ordinary length. '.repeat(9)
const meta = '{"source":"bench","tags":["a","b"]}'

/** How many models so many rows have. */
function modelsOf(rows: number): number {
  return Math.max(10, Math.ceil(rows / rowsOfModel))
}

/** Some models, as far apart as they can be. */
export function modelNames(rows: number, count: number): readonly string[] {
  const models = modelsOf(rows)
  const step = Math.max(1, Math.floor(models / count))
  return Array.from({ length: Math.min(count, models) }, (_, at) => `m${String(at * step).padStart(6, '0')}`)
}

/** One millisecond of a UUIDv7 for each row, all of them older than an hour. */
function firstMs(rows: number): number {
  return Date.now() - 3_600_000 - rows
}

function columns(hasAttempt: boolean): string {
  const names = ['id', 'rating', 'comment', 'model', 'meta', 'createdAt', 'updatedAt', 'version']
  return [...names, ...(hasAttempt ? ['holdfast_attempt'] : [])].map((name) => `"${name}"`).join(', ')
}

/** What the server by hand has beside its key. */
export const byHandIndex = 'create index feedback_model on feedback (model, id)'

/** Inserts rows of about 400 bytes into an empty table; `hasAttempt`: that of Holdfast. */
export const seedText: Readonly<Record<On, (rows: number, hasAttempt: boolean) => string>> = {
  sqlite: (rows, hasAttempt) => `
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${rows}),
      times as (select n, ${firstMs(rows)} + n as at from numbers),
      drawn as (select n, at, printf('%08x-%04x-7%03x-8%03x-%012x', at >> 16, at & 65535, n % 4096, n * 7 % 4096,
        n * 2654435761 % 281474976710656) as id from times)
    insert into feedback (${columns(hasAttempt)})
    select id, 1 + n % 5, '${comment}',
      case when n % ${withoutModel} = 0 then null else printf('m%06d', n * 7919 % ${modelsOf(rows)}) end,
      '${meta}', at, at, 1${hasAttempt ? ', id' : ''} from drawn;
    analyze`,
  postgresql: (rows, hasAttempt) => `
    insert into feedback (${columns(hasAttempt)})
    select id, 1 + n % 5, '${comment}',
      case when n % ${withoutModel} = 0 then null else 'm' || lpad((n * 7919 % ${modelsOf(rows)})::text, 6, '0') end,
      '${meta}', at, at, 1${hasAttempt ? ', id' : ''}
    from (select n, to_timestamp((${firstMs(rows)} + n) / 1000.0) as at, (lpad(to_hex(${firstMs(rows)} + n), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid as id
      from generate_series(1::bigint, ${rows}) as n) as drawn`,
}
