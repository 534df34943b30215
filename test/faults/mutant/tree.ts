import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository } from '../../support/process.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import type { Edit, Mutant } from './mutants.ts'

/** How often the text of an edit is in its file: exactly once, or the mutant is about something else by now. */
export async function occurrencesOf({ file, find }: Edit): Promise<number> {
  return (await readFile(join(repository, file), 'utf8')).split(find).length - 1
}

/** A copy of the sources with this defect, which ends with `t`; packages are linked. */
export async function mutatedTree(t: Cleanup, { name, edits }: Mutant): Promise<string> {
  const tree = await makeTempDir(t, 'mutant')
  for (const folder of ['src', 'plugins', 'test/faults', 'package.json', 'tsconfig.json']) {
    await cp(join(repository, folder), join(tree, folder), { recursive: true })
  }
  await symlink(join(repository, 'node_modules'), join(tree, 'node_modules'))
  for (const { file, find, replacement } of edits) {
    const path = join(tree, file)
    const text = await readFile(path, 'utf8')
    if (!text.includes(find)) throw new Error(`${file} no longer has the text of the mutant "${name}".`)
    await writeFile(
      path,
      text.replace(find, () => replacement),
    )
  }
  return tree
}
