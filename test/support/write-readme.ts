/** `npm run readme`: writes the tables of README.md anew from the code. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './process.ts'
import { readmeBlocks, withBlocks } from './readme.ts'

const file = join(repository, 'README.md')
writeFileSync(file, withBlocks(readFileSync(file, 'utf8'), await readmeBlocks()))
