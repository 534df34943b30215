import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const root = new URL('../../', import.meta.url)

/** Holds a JSON file of this repository (path from its root) to `actual`; with UPDATE_GOLDEN=1 writes it instead. */
export async function assertGolden(path: string, actual: unknown): Promise<void> {
  const file = new URL(path, root)
  if (process.env.UPDATE_GOLDEN === '1') {
    await writeFile(file, `${JSON.stringify(actual, null, 2)}\n`)
    // The formatter's word counts, so that checking the style finds nothing in what was just written.
    const biome = new URL('node_modules/.bin/biome', root).pathname
    await promisify(execFile)(biome, ['format', '--write', file.pathname], { cwd: root.pathname }).catch(() => {})
  }
  const expected: unknown = JSON.parse(await readFile(file, 'utf8'))
  assert.deepEqual(JSON.parse(JSON.stringify(actual)), expected, `${path} differs; if that is meant: UPDATE_GOLDEN=1`)
}
