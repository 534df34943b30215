/** `npm run readme`: writes the tables of the READMEs from the code. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './process.ts'
import { readmeBlocks, withBlocks } from './readme.ts'

for (const [path, blocks] of Object.entries(await readmeBlocks())) {
  const file = join(repository, path)
  writeFileSync(file, withBlocks(readFileSync(file, 'utf8'), blocks))
}
