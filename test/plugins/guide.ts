import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { commandsOf, type Page, readPage } from '../support/pages.ts'
import { repository } from '../support/process.ts'

/** The page for authors of drivers. */
export const guide: Page = readPage('plugins/README.md')

/** Runs the page's commands that link Holdfast's packages into a folder, and links a plugin's own clients. */
export function linkAsGuided(folder: string, clients: readonly string[]): void {
  const commands = commandsOf(guide).filter(({ command }) => command.includes('./node_modules'))
  for (const { command } of commands) {
    execFileSync('/bin/sh', ['-c', command.replaceAll('/path/to/holdfast', repository)], { cwd: folder })
  }
  for (const name of clients) symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
}
