import assert from 'node:assert/strict'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Declarations } from '../../src/config/driver-settings.ts'
import { readLayers, refreshSecrets } from '../../src/config/layers.ts'
import { exitCodeFor, formatOrigin, settingProblems } from '../../src/config/problem.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import type { ResolvedSettings } from '../../src/config/settings.ts'
import { makeTempDir, writeFiles } from '../support/temp.ts'
import { assertGolden } from './golden-file.ts'

/** What is given in one case: files below the working directory, an environment, what the drivers declare. */
interface Case {
  readonly env: Record<string, string>
  /** Text as it is, an object as JSON, null a directory, a number so many blanks. */
  readonly files?: Record<string, string | number | object | null>
  readonly declarations?: Declarations
}

/** Stands for each secret in the cases; nothing that is printed may hold it. */
const password = 'hunter2'

const folder = fileURLToPath(new URL('./golden/', import.meta.url))
const names = (await readdir(folder)).sort()
const seen = new Set<string>()

for (const name of names) {
  test(`settles "${name.replaceAll('-', ' ')}" as its golden file says`, async (t) => {
    const given: Case = JSON.parse(await readFile(join(folder, name, 'given.json'), 'utf8'))
    const cwd = await makeTempDir(t, 'settings')
    await writeCase(cwd, given)
    const declarations = given.declarations ?? {}
    const layers = await refreshSecrets(await readLayers({ env: given.env, cwd }), declarations)
    const resolved = resolveSettings(layers, declarations)
    for (const { code } of resolved.problems) seen.add(code)
    const shown = summary(resolved)
    assert.ok(!JSON.stringify(shown).includes(password), 'a secret was printed')
    await assertGolden(`test/config/golden/${name}/resolved.json`, shown)
  })
}

test('the cases show every problem that files and environment can have', () => {
  const expected = Object.keys(settingProblems).filter((code) => !code.startsWith('DATA_DIR'))
  assert.deepEqual([...seen].sort(), expected.sort())
})

async function writeCase(cwd: string, { files = {} }: Case): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    if (content === null) await mkdir(join(cwd, path), { recursive: true })
    else await writeFiles(cwd, { [path]: contentOf(content) })
  }
}

function contentOf(content: string | number | object): string {
  if (typeof content === 'string') return content
  return typeof content === 'number' ? ' '.repeat(content) : JSON.stringify(content)
}

function summary(resolved: ResolvedSettings): object {
  return {
    exit: exitCodeFor(resolved.problems),
    isPrimaryDeclared: resolved.isSet('database.url'),
    problems: resolved.problems.map((one) => ({ ...one, origin: one.origin && formatOrigin(one.origin) })),
    settings: Object.fromEntries(
      resolved.lines().map((line) => [line.name, `${JSON.stringify(line.value)} from ${formatOrigin(line.origin)}`]),
    ),
  }
}
