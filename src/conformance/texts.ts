/** Pieces of what people paste, and of what breaks parsers. */
const pieces = [
  '://',
  '//',
  '/',
  '\\',
  '..',
  './',
  '@',
  ':',
  '?',
  '#',
  '&',
  '=',
  '%',
  '%2F',
  '%zz',
  '%00',
  '\0',
  '\n',
  ' ',
  '[',
  ']',
  ',',
  '"',
  "'",
  '<',
  '$',
  '{{',
  'host',
  'user',
  'name.db',
  ':memory:',
  'localhost',
  '127.0.0.1',
  '[::1]',
  '99999',
  'sslmode=require',
  '__proto__',
  'constructor',
  '\u{1f600}',
  '\ud800',
  '\u202e',
  '\ufeff',
  'x'.repeat(300),
]

/** `count` texts of a few pieces each: the same at each run, so that a failure can be run again. */
export function texts(count: number): readonly string[] {
  const next = createDraw(20_260_801)
  return Array.from({ length: count }, () => {
    const length = Math.floor(next() * 9)
    return Array.from({ length }, () => pieces[Math.floor(next() * pieces.length)] ?? '').join('')
  })
}

/** mulberry32: small, and the same everywhere. */
function createDraw(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
