import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { findFloatingPromises } from './floating-promises.ts'
import { repository } from './process.ts'
import { makeTempDir, writeFiles } from './temp.ts'

const dropped = `
import { rm } from 'node:fs/promises'
interface Store { close(): Promise<void> }
export function drop(store: Store, maybe?: Store, end: () => void = () => store.close()): void {
  rm('x')
  store.close()
  maybe?.close()
  Promise.all([rm('x')])
  rm('x').then(() => {})
  rm('x').finally(() => {})
  setTimeout(async () => await store.close(), 1)
  setTimeout(() => store.close(), 1)
  end()
}
`

const handled = `
import { rm } from 'node:fs/promises'
let kept: Promise<void> | undefined
export async function handle(run: (work: () => Promise<void>) => void): Promise<void> {
  await rm('x').finally(() => rm('y'))
  rm('x').catch(() => undefined)
  rm('x').then(() => {}, () => {})
  void rm('x')
  kept ??= rm('x')
  run(() => rm('x'))
  setTimeout(() => void rm('x'), 1)
  return kept
}
`

test('finds every promise that is dropped, as a statement or as what a callback returns, and no other', async (t) => {
  const dir = await makeTempDir(t, 'promises')
  const compilerOptions = {
    ...{ strict: true, target: 'es2024', module: 'nodenext', types: ['node'], noEmit: true },
    typeRoots: [join(repository, 'node_modules/@types')],
  }
  await writeFiles(dir, {
    'package.json': '{"type":"module"}',
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['src', 'test'] }),
    'src/dropped.ts': dropped,
    'src/handled.ts': handled,
    'test/dropped.ts': dropped,
  })
  const found = findFloatingPromises(dir).map((one) => one.split(':').slice(0, 2).join(':'))
  const linesOf = (path: string) => found.flatMap((one) => (one.startsWith(path) ? [Number(one.split(':')[1])] : []))
  assert.deepEqual(
    linesOf('src/dropped.ts').sort((a, b) => a - b),
    [4, 5, 6, 7, 8, 9, 10, 11, 12],
  )
  assert.deepEqual(linesOf('src/handled.ts'), [])
  assert.deepEqual(linesOf('test/dropped.ts'), [5, 6, 7, 8, 9, 10], 'callbacks count outside of tests only')
})
