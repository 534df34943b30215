import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { repository } from './process.ts'

/** A README of the repository. */
export interface Page {
  /** From the repository's root: `src/README.md`. */
  readonly path: string
  /** Its folder; `.` for the first page. */
  readonly folder: string
  readonly text: string
}

/** A command that a page shows, with the lines that it prints. */
export interface ShownCommand {
  readonly command: string
  readonly printed: string
}

/** Every README, the first page first. */
export async function readPages(): Promise<readonly Page[]> {
  const paths: string[] = []
  for await (const path of glob('{config,plugins,src,test}/**/README.md', { cwd: repository })) paths.push(path)
  return ['README.md', ...paths.sort()].map(readPage)
}

/** One README, by its path. */
export function readPage(path: string): Page {
  return { path, folder: dirname(path), text: readFileSync(join(repository, path), 'utf8') }
}

/** The fenced blocks of a language, without their fences. */
export function blocksOf(page: Page, language: string): readonly string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm')
  return [...page.text.matchAll(pattern)].map(([, block = '']) => block)
}

/** The commands of the `console` blocks: lines that begin with `$ `; what follows is what they print. */
export function commandsOf(page: Page): readonly ShownCommand[] {
  return blocksOf(page, 'console').flatMap((block) =>
    block
      .split(/^\$ /m)
      .filter((part) => part !== '')
      .map((part) => {
        const [command = '', ...printed] = part.split('\n')
        return { command: command.replace(/\s+# .*$/, '').trim(), printed: printed.join('\n').trim() }
      }),
  )
}

/** The text under a heading, up to the next one of its level. */
export function sectionOf(page: Page, title: string): string {
  return new RegExp(`^## ${title}\\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, 'm').exec(page.text)?.[1] ?? ''
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const prose = page.text.replace(/^```[\s\S]*?^```/gm, '')
  const headings = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => title)
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** The text as a pattern in which `…` stands for anything. */
export function wildcard(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}\\s*$`, 's')
}
