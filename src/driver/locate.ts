import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundledDrivers } from './bundled-drivers.ts'
import { driverNamePattern } from './define-driver.ts'

/** Set by the bundler, and only there. */
declare const HOLDFAST_BUNDLED: boolean | undefined

const isBundled = typeof HOLDFAST_BUNDLED !== 'undefined'

/** The extension of Holdfast's own modules in this process. */
export const ownExtension: 'ts' | 'js' = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/** Bundled, every chunk is at the root of `dist/`; from sources and compiled, this file is in `src/driver/`. */
const builtInFolder = new URL(isBundled ? './plugins/' : '../../plugins/', import.meta.url)

/** `plugins/` at the root of the package, where other drivers may be added: above `dist/` and `dist/lib/`. */
const addedFolder = new URL(
  isBundled ? '../../plugins/' : ownExtension === 'js' ? '../../../plugins/' : './',
  builtInFolder,
)

const packagePattern = /^(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/i
const extensions = ['ts', 'js', 'mjs'] as const
/** The conditions under which Node imports a package, as far as a plugin can mean them. */
const conditions = new Set(['node', 'import', 'module-sync', 'default'])

/** The names of the built-in drivers; empty when the folder cannot be read. */
export async function builtInDriverNames(): Promise<readonly string[]> {
  if (bundledDrivers.size > 0) return [...bundledDrivers.keys()]
  try {
    const names = (await readdir(fileURLToPath(builtInFolder))).filter((name) => driverNamePattern.test(name))
    const found = await Promise.all(names.map((name) => isFile(fileURLToPath(builtInEntry(name)))))
    return names.filter((_, index) => found[index])
  } catch {
    return []
  }
}

function builtInEntry(name: string): URL {
  return new URL(`${name}/${name}.${ownExtension}`, builtInFolder)
}

/**
 * True when this is the bundle and one of the drivers is not built in: a plugin imports MikroORM itself, and two copies of
 * it in one process do not recognise each other's classes. Then the compiled modules in `dist/lib` must run instead. To be
 * asked before a driver is imported: no plugin is imported twice.
 */
export async function needsModules(drivers: readonly string[], cwd: string): Promise<boolean> {
  if (!isBundled) return false
  const builtIn = await builtInDriverNames()
  for (const name of drivers.filter((one) => !builtIn.includes(one))) {
    // An unknown name is reported with the settings; it must not slow the start.
    if ((await locatePlugin(name, cwd).catch(() => null)) !== null) return true
  }
  return false
}

/**
 * The module that a plugin's name or path stands for, seen from `cwd`; null when there is none. The name of a built-in
 * driver wins, then one that was added to `plugins/`; any other name is a package installed for the application.
 */
export async function locatePlugin(given: string, cwd: string): Promise<URL | null> {
  if (driverNamePattern.test(given)) {
    const builtIn = builtInEntry(given)
    if (await isFile(fileURLToPath(builtIn))) return builtIn
    const added = await addedEntry(fileURLToPath(new URL(given, addedFolder)))
    if (added !== null) return pathToFileURL(added)
  }
  if (packagePattern.test(given) && !hasExtension(given)) {
    const installed = await installedEntry(given, cwd)
    if (installed !== null) return pathToFileURL(installed)
  }
  const found = await pathEntry(pathOf(given, cwd))
  return found === null ? null : pathToFileURL(found)
}

/** `plugins/name.mjs`, or a folder `plugins/name`. */
async function addedEntry(path: string): Promise<string | null> {
  for (const extension of extensions) if (await isFile(`${path}.${extension}`)) return `${path}.${extension}`
  return await folderEntry(path)
}

function pathOf(given: string, cwd: string): string {
  if (given.startsWith('file://')) return fileURLToPath(given)
  return isAbsolute(given) ? given : resolve(cwd, given)
}

function hasExtension(given: string): boolean {
  return extensions.some((extension) => given.endsWith(`.${extension}`))
}

/** Node's own rule: `node_modules` here, then in each folder above. */
async function installedEntry(name: string, cwd: string): Promise<string | null> {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const entry = await folderEntry(join(folder, 'node_modules', name))
    if (entry !== null || folder === dirname(folder)) return entry
  }
}

async function pathEntry(path: string): Promise<string | null> {
  return (await isFile(path)) ? path : folderEntry(path)
}

/** What the folder's package.json names, else the file of the folder's own name, else `index`. */
async function folderEntry(folder: string): Promise<string | null> {
  const named = await packageEntry(folder)
  const word = basename(folder)
  const candidates = [word, 'index'].flatMap((stem) => extensions.map((extension) => `${stem}.${extension}`))
  for (const candidate of named === null ? candidates : [named, ...candidates]) {
    const path = join(folder, candidate)
    if (await isFile(path)) return path
  }
  return null
}

async function packageEntry(folder: string): Promise<string | null> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => null)
  if (text === null) return null
  try {
    const description: unknown = JSON.parse(text)
    if (typeof description !== 'object' || description === null) return null
    const { exports, main } = description as { exports?: unknown; main?: unknown } // Both are judged before use.
    return exported(exports) ?? (typeof main === 'string' ? main : null)
  } catch {
    // A broken package.json says nothing; the file of the folder's name may still be there.
    return null
  }
}

/** The file under `.` in a package's `exports`, whose conditions are tried in their order. */
function exported(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  for (const [key, inner] of Object.entries(value)) {
    if (key === '.') return exported(inner)
    if (!conditions.has(key)) continue
    const found = exported(inner)
    if (found !== null) return found
  }
  return null
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
