import { readdir } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { readJsonText } from '../../config/json-fault.ts'
import { createProblem, type Origin, type Problem } from '../../config/problem.ts'
import { errorCodeOf, readTextFile } from '../../config/text-file.ts'
import { checkCollection, type Defect } from './check.ts'
import { bounds, type Collection } from './declaration.ts'
import { relationNames } from './names.ts'
import { resolveReferences } from './references.ts'
import { recordSource } from './source.ts'

/** Problems with declarations of collections, by code. */
export const collectionProblems: Readonly<Record<string, string>> = {
  COLLECTIONS_UNREADABLE: 'The collections folder cannot be read. No collection is served from it.',
  COLLECTIONS_NOT_FOUND: 'The collections folder is empty or does not exist. No collection is served.',
  COLLECTION_INVALID: 'A declaration is not valid, or declares a collection again. It is not served; the others are.',
}

/** The valid collections, and the problems with the others. */
export interface LoadedCollections {
  /** In the order of their file names. */
  readonly collections: readonly Collection[]
  readonly problems: readonly Problem[]
}

/**
 * Reads every `*.json` file of `dir` (relative to `cwd`). An invalid file is reported as a problem, and the others are
 * served. An empty or missing folder is reported, too; a missing one is an error if `explicit`. Never rejects.
 */
export async function loadCollections(
  dir: string,
  cwd: string,
  explicit = false,
  findDefect: FindDefect = () => null,
): Promise<LoadedCollections> {
  const folder = resolve(cwd, dir)
  let names: readonly string[]
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort()
  } catch (error) {
    return {
      collections: [],
      problems: [errorCodeOf(error) === 'ENOENT' && !explicit ? noneProblem(folder, true) : unreadable(folder, error)],
    }
  }
  if (names.length === 0) return { collections: [], problems: [noneProblem(folder, false)] }
  const problems: Problem[] = []
  const declared: Declared[] = []
  for (const name of names) {
    const path = shownPath(join(folder, name), cwd)
    const value = await readDeclaration(join(folder, name))
    if ('defect' in value) problems.push(problemOf(path, { from: 'file', path }, value.defect))
    else declared.push({ source: path, origin: { from: 'file', path }, value: value.value })
  }
  const checked = checkAll(declared, findDefect)
  return { collections: checked.collections, problems: [...problems, ...checked.problems] }
}

/** Checks declarations from code like those from files. Never throws. */
export function checkCollections(
  declarations: readonly unknown[],
  findDefect: FindDefect = () => null,
): LoadedCollections {
  return checkAll(
    declarations.map((value, at) => ({ source: `options.collections[${at}]`, origin: { from: 'options' }, value })),
    findDefect,
  )
}

/** What is wrong with a declaration that is well-formed, as far as higher modules know; null: nothing. */
export type FindDefect = (collection: Collection) => Defect | null

/** A declaration and where it comes from. */
interface Declared {
  readonly source: string
  readonly origin: Origin
  readonly value: unknown
}

function checkAll(declared: readonly Declared[], findDefect: FindDefect): LoadedCollections {
  const collections: Collection[] = []
  const problems: Problem[] = []
  const sources = new Map<string, string>()
  const taken = new Map<string, string>()
  // Files named like their collection win: a copy that is first in the alphabet must not replace its original.
  const ordered = [...declared.filter(isNamesake), ...declared.filter((one) => !isNamesake(one))]
  for (const { source, origin, value } of ordered) {
    const { collection, defects } = checkCollection(value)
    problems.push(...defects.map((defect) => problemOf(source, origin, defect)))
    if (collection === null) continue
    const defect = conflictOf(collection, sources, taken) ?? findDefect(collection)
    if (defect !== null) {
      problems.push(problemOf(source, origin, defect))
      continue
    }
    sources.set(collection.name.toLowerCase(), source)
    for (const name of relationNames(collection)) taken.set(name, source)
    recordSource(collection, source)
    collections.push(collection)
  }
  const order = new Map(declared.map(({ value }, at) => [value, at]))
  const at = (value: unknown): number => order.get(value) ?? 0
  collections.sort((one, other) => at(one) - at(other))
  const { resolved, unresolved } = resolveReferences(collections)
  for (const { collection, defect } of unresolved) {
    const { source, origin } = declared[at(collection)] ?? { source: collection.name, origin: { from: 'options' } }
    problems.push(problemOf(source, origin, defect))
  }
  return { collections: resolved, problems }
}

/** Whether a file has the name of the collection that it declares. */
function isNamesake({ source, value }: Declared): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && `${value.name}.json` === basename(source)
}

/** How a valid declaration conflicts with the ones before it; null if it does not. */
function conflictOf(
  collection: Collection,
  sources: ReadonlyMap<string, string>,
  taken: ReadonlyMap<string, string>,
): Defect | null {
  const twin = sources.get(collection.name.toLowerCase())
  if (twin !== undefined) {
    const message = `Collection "${collection.name}" is already declared in ${twin}. This one is not served.`
    return { pointer: '/name', message, suggestion: 'Change its "name", or remove it.' }
  }
  const own = relationNames(collection)
  const shared = own.find((name, at) => taken.has(name) || own.indexOf(name) !== at)
  if (shared !== undefined) {
    const owner = taken.get(shared) ?? 'the same declaration'
    const message = `The table or index "${shared}" would exist twice: ${owner} has one of this name. This collection is not served.`
    return {
      pointer: shared === own[0] ? '/name' : '/indexes',
      message,
      suggestion: 'Change its "name", or its indexes.',
    }
  }
  if (sources.size < bounds.collections) return null
  const message = `There are more than ${bounds.collections} collections. This one is not served.`
  return { pointer: '', message, suggestion: 'Remove unused collections.' }
}

async function readDeclaration(path: string): Promise<{ readonly value: unknown } | { readonly defect: Defect }> {
  const defective = (message: string, suggestion: string) => ({ defect: { pointer: '', message, suggestion } })
  const file = await readTextFile(path, bounds.fileBytes)
  if ('reason' in file) {
    const suggestion = `A collection file is UTF-8 text of at most ${bounds.fileBytes} bytes that the service can read.`
    return defective(`The file ${file.reason}.`, suggestion)
  }
  const read = readJsonText(file.text)
  if ('fault' in read) {
    const { line, column, hint } = read.fault
    const message = `The file is not valid JSON: line ${line}, column ${column}: ${hint}.`
    return defective(message, 'Fix the JSON. Comments and trailing commas are not allowed.')
  }
  const [twice] = read.duplicates
  if (twice === undefined) return { value: read.value }
  const name = JSON.stringify(twice.name.slice(0, 60))
  const message = `The file has ${name} twice in one object (line ${twice.line}, column ${twice.column}).`
  return defective(message, 'Remove one of the two.')
}

/** Normal for the library; for a service started in the wrong folder, the line that explains everything. */
function noneProblem(folder: string, isMissing: boolean): Problem {
  return createProblem('COLLECTIONS_NOT_FOUND', 'info', 'collections.dir', {
    message: `No collection is served: the folder ${folder} ${isMissing ? 'does not exist' : 'has no ".json" files'}.`,
    suggestion: 'Put a collection there, start the service in the right folder, or set COLLECTIONS_DIR.',
  })
}

function unreadable(folder: string, error: unknown): Problem {
  return createProblem('COLLECTIONS_UNREADABLE', 'error', 'collections.dir', {
    message: `Cannot read the collections folder ${folder} (${errorCodeOf(error) ?? 'unknown'}). No collection is served from it.`,
    suggestion: 'Create the folder, or set COLLECTIONS_DIR to the right one.',
  })
}

function problemOf(source: string, origin: Origin, defect: Defect): Problem {
  return createProblem('COLLECTION_INVALID', 'error', `${source}#${defect.pointer}`, {
    origin,
    part: defect.pointer === '' ? null : defect.pointer,
    message: defect.message,
    suggestion: defect.suggestion,
  })
}

/** Relative if it is below the working directory, so the text is the same on every machine. */
function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path)
  return shown.startsWith('..') ? path : shown.split(sep).join('/')
}
