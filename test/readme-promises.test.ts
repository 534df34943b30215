import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPage } from './support/pages.ts'
import { readSources } from './support/sources.ts'

/**
 * What the first page promises, sentence by sentence, and the tests that hold it, by their titles (or the part of a title
 * that stands in the source). A sentence that is added or changed needs its tests here.
 */
const promises: readonly (readonly [sentence: string, ...tests: string[]])[] = [
  [
    'Holdfast is a data service, and the TypeScript library under it: you describe your rows in one JSON file, and Holdfast serves them over HTTP from SQLite, PostgreSQL, MariaDB or Neon, with filters, bulk writes, access rules and documentation.',
    'each line of the page on collections answers as it shows',
    'the collection of the first page is served as it stands, and checked without a word',
    'what a write answers is what a read gives, to the byte, and what other databases answer',
    'rows land in PostgreSQL, and all five operations answer from it',
  ],
  [
    'It starts without its database, reports what is wrong with it, answers from an embedded SQLite database, which has a copy of its rows, and returns without a restart.',
    'a process that begins in the outage, or anew in it, has the copy whole',
    'a primary that cannot be opened: the fallback serves and says so, readiness is as it was wished',
    'when PostgreSQL is killed the fallback answers, and when it is back it serves without a restart',
  ],
  [
    'No acknowledged write is lost: what it accepted in the meantime is carried to the database exactly once, or kept there as a conflict with both versions.',
    'the walk through an outage on the first page goes as it says',
  ],
  [
    'Without a database the rows are in SQLite, and an archive in a bucket brings them back when the disk is gone.',
    'the walk through a lost disk on the first page goes as it says',
  ],
  [
    'You need Node 20 or newer; the project brings the Node 24 that it runs on.',
    'the clients of databases are optional, and npm installs every package under an older Node without a warning',
    'the bundled Node takes over, with arguments, signals and the exit code passed through',
  ],
  [
    'The installation compiles nothing.',
    'installing compiles nothing: the lock file says what the SQLite package says of itself',
  ],
  [
    "On Node 20, ignore npm's `EBADENGINE` warnings about Holdfast itself.",
    'the bundled Node takes over, with arguments, signals and the exit code passed through',
  ],
  [
    'A collection is one file in `config/collections`.',
    'the collection of the first page is served as it stands, and checked without a word',
  ],
  [
    'Save this one as `config/collections/bugs.json` and restart: Holdfast creates the table and serves the routes.',
    'the collection of the first page is served as it stands, and checked without a word',
  ],
  [
    'Whatever `access` does not list needs the admin token: `Authorization: Bearer …` or `Holdfast-Token: …`.',
    'the collection of the first page is served as it stands, and checked without a word',
    'the token is taken from Authorization and from Holdfast-Token',
  ],
  [
    'Set `ADMIN_TOKEN`; without it, Holdfast generates a token at the first start and writes it to `admin-token` in the data directory.',
    'a drawn admin token is in its file and nowhere else',
    'a configured token is used, and nothing is written',
  ],
  [
    '`/docs` and `/openapi.json` describe the API.',
    'a person reads the operations and tries one, and no request leaves the origin',
    'a public validator agrees with the document, whoever asks and whatever is declared',
  ],
  ['All features, in curl: config/collections.', 'each line of the page on collections answers as it shows'],
  [
    'Every write reports how durable its row is:',
    'in an outage health, status, log, metrics and page say so; what nothing could carry is refused; it ends by itself',
    'a primary that is a file has the durability of its disk',
  ],
  [
    '`local-ephemeral`, `primary-ephemeral` and `journal-ephemeral`: the same, on a disk that the next restart may remove.',
    'a primary that is a file has the durability of its disk',
    "inside a Space the container's own disk is ephemeral",
  ],
  [
    'Holdfast detects the kind of disk; `DATA_DURABLE=true` or `false` overrides it.',
    'DATA_DURABLE decides, whatever the disk looks like',
    "inside a Space the container's own disk is ephemeral",
  ],
  [
    'A request with `Prefer: durability=primary` gets 503 instead of a row in the fallback.',
    'a durability that cannot be had is refused before anything is written',
    'in an outage health, status, log, metrics and page say so; what nothing could carry is refused; it ends by itself',
  ],
  [
    'The address can also come in parts (`DATABASE_HOST`, …), each setting from a file (`DATABASE_PASSWORD_FILE`).',
    'opens what it is to open, and one that was rotated counts at the next start',
    'the compose file with PostgreSQL names one database on both sides, and its secrets',
  ],
  [
    'Holdfast repairs what people paste and reports the corrected form.',
    'every suggestion of an address, pasted back, is accepted and means the same',
    'is used, and what is to be changed is said',
    'no four characters in a row of a secret are shown, wherever it was put',
  ],
  [
    'It does not use an address that it cannot read; SQLite serves instead.',
    'the part, the reason and the corrected form are said',
  ],
  ['With PostgreSQL and the collection above:', 'the walk through an outage on the first page goes as it says'],
  [
    'When a statement fails or is slow, and a fresh connection fails, too, the other hosts are tried, then the fallback serves.',
    'through two planned switchovers in a row each request is answered by the primary, and each row is there once',
    'when PostgreSQL is killed the fallback answers, and when it is back it serves without a restart',
    'when PostgreSQL is stopped callers are freed within QUERY_TIMEOUT, and it serves again when it goes on',
    'a fault of the primary is believed only when a fresh connection fails, too',
    'does not lose a primary that answers, and causes one probe after half of QUERY_TIMEOUT',
  ],
  [
    '`/health` reports `warn`.',
    'in an outage health, status, log, metrics and page say so; what nothing could carry is refused; it ends by itself',
  ],
  [
    'Collections above `COPY_MAX_BYTES` are not copied: lists say `"partial": true`, and a row of the primary gets 503 `INCOMPLETE`, not 404.',
    'above COPY_MAX_BYTES it is not copied, and an outage hides its rows',
    'in an outage nothing is denied that the primary has',
    'in an outage health, status, log, metrics and page say so; what nothing could carry is refused; it ends by itself',
  ],
  [
    'When two writes of a probe were committed, the journal is carried, and the primary serves.',
    'returns to the primary after two committed writes, 200 ms apart',
    'when MariaDB is killed the fallback answers, and when it is back it serves without a restart',
    'the walk through an outage on the first page goes as it says',
  ],
  [
    'With `ARCHIVE_URL` and no `DATABASE_URL`, rows outlive their disk:',
    'the walk through a lost disk on the first page goes as it says',
  ],
  [
    'Or in an S3-compatible bucket: `s3://bucket/prefix?endpoint=https://…`, with `ARCHIVE_ACCESS_KEY_ID` and `ARCHIVE_SECRET_ACCESS_KEY`.',
    'killed, its disk emptied, and started again, twice',
  ],
  [
    'Writes without the header do not wait; `Holdfast-Archive-Lag` says how many seconds of them would be lost.',
    'the walk through a lost disk on the first page goes as it says',
  ],
  [
    '`npx holdfast restore --at TIME --to FOLDER` goes back in time.',
    'is restored from the newest snapshot before it, with what was committed until then',
  ],
  ['More.', 'the walk through a lost disk on the first page goes as it says'],
  [
    'Node 22.17 or newer; `npm pack` in a clone makes the package.',
    'the library refuses an old Node in one sentence, before anything else of it runs',
    'what the package exports has a source, and so has its command',
  ],
]

/** The sentences of the page's prose: no headings, tables, code, lists of links or bold words at the front. */
function sentences(): readonly string[] {
  const prose = readPage('README.md')
    .text.replace(/^---[\s\S]*?\n---\n/, '')
    .replace(/^```[\s\S]*?^```\n/gm, '')
    .replace(/^## (?:Deploying|Read on)\n[\s\S]*/m, '')
    .replace(/^[|#].*\n/gm, '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  return prose
    .split(/\n\s*\n|\n(?=- )/)
    .map((block) =>
      block
        .replace(/^- (?:\*\*.*?\*\* )?/, '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    )
    .flatMap((block) => block.split(/(?<=\.) (?=[A-Z`])/))
    .filter((sentence) => sentence !== '')
}

test('each sentence of the first page has the tests that hold it, and no others are listed', () => {
  const pointers = ['Exact words: src.', 'Settings, entities, transactions, Express, Fastify: src.']
  assert.deepEqual(
    sentences().filter((sentence) => !pointers.includes(sentence)),
    promises.map(([sentence]) => sentence),
  )
  assert.ok(promises.every(([, ...tests]) => tests.length > 0))
})

test('the tests that hold the promises are there', () => {
  const sources = readSources('test')
    .filter(({ path }) => path !== 'test/readme-promises.test.ts')
    .map(({ text }) => text)
  const named = new Set(promises.flatMap(([, ...tests]) => tests))
  assert.deepEqual(
    [...named].filter((title) => !sources.some((text) => text.includes(title))),
    [],
  )
})
