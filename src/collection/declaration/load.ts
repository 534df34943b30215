import { readdir } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { findJsonFault } from '../../config/json-fault.ts'
import type { Origin, Problem } from '../../config/problem.ts'
import { errorCodeOf, readTextFile } from '../../config/text-file.ts'
import { checkCollection, type Defect } from './check.ts'
import type { CollectionProblemCode } from './codes.ts'
import { bounds, type Collection } from './declaration.ts'
import { notePlace } from './place.ts'

/** The declarations that may be served, and what is wrong with the rest. */
export interface LoadedCollections {
  /** In the order of their files' names. */
  readonly collections: readonly Collection[]
  readonly problems: readonly Problem[]
}

/**
 * Reads every `*.json` of `dir` (relative to `cwd`). A wrong file is a problem that names file, place and remedy, and the
 * others are served. A folder that is empty or not there is told; one that is not there is an error when `explicit`. Never
 * rejects.
 */
export async function loadCollections(dir: string, cwd: string, explicit = false): Promise<LoadedCollections> {
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
  const given: Given[] = []
  for (const name of names) {
    const path = shownPath(join(folder, name), cwd)
    const value = await readDeclaration(join(folder, name))
    if ('defect' in value) problems.push(problemOf(path, { from: 'file', path }, value.defect))
    else given.push({ place: path, origin: { from: 'file', path }, value: value.value })
  }
  const checked = checkAll(given)
  return { collections: checked.collections, problems: [...problems, ...checked.problems] }
}

/** Checks declarations that were given in code, as files are checked. Never throws. */
export function checkCollections(declarations: readonly unknown[]): LoadedCollections {
  return checkAll(
    declarations.map((value, at) => ({ place: `options.collections[${at}]`, origin: { from: 'options' }, value })),
  )
}

interface Given {
  readonly place: string
  readonly origin: Origin
  readonly value: unknown
}

function checkAll(given: readonly Given[]): LoadedCollections {
  const collections: Collection[] = []
  const problems: Problem[] = []
  const places = new Map<string, string>()
  // A copy that still has the original's name must not take its place for coming earlier in the alphabet.
  for (const { place, origin, value } of [...given.filter(isNamesake), ...given.filter((one) => !isNamesake(one))]) {
    const { collection, defects } = checkCollection(value)
    problems.push(...defects.map((defect) => problemOf(place, origin, defect)))
    if (collection === null) continue
    const defect = setDefect(collection, places)
    if (defect !== null) {
      problems.push(problemOf(place, origin, defect))
      continue
    }
    places.set(collection.name.toLowerCase(), place)
    notePlace(collection, place)
    collections.push(collection)
  }
  const order = new Map(given.map(({ value }, at) => [value, at]))
  const at = (value: unknown): number => order.get(value) ?? 0
  return { collections: collections.sort((one, other) => at(one) - at(other)), problems }
}

/** A file that is called as the collection that it declares. */
function isNamesake({ place, value }: Given): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && `${value.name}.json` === basename(place)
}

/** What is wrong with a declaration beside those before it. */
function setDefect(collection: Collection, places: ReadonlyMap<string, string>): Defect | null {
  const twin = places.get(collection.name.toLowerCase())
  if (twin !== undefined) {
    const message = `The collection "${collection.name}" is declared in ${twin} already; this one is not served.`
    return { pointer: '/name', message, suggestion: 'Give this one another "name", or remove it.' }
  }
  if (places.size < bounds.collections) return null
  const message = `There are more than ${bounds.collections} collections; this one is not served.`
  return { pointer: '', message, suggestion: 'Remove those that are not used.' }
}

async function readDeclaration(path: string): Promise<{ readonly value: unknown } | { readonly defect: Defect }> {
  const defective = (message: string, suggestion: string) => ({ defect: { pointer: '', message, suggestion } })
  const file = await readTextFile(path, bounds.fileBytes)
  if ('reason' in file) {
    const suggestion = `A collection is a text in UTF-8 of at most ${bounds.fileBytes} bytes, readable for the user that runs the service.`
    return defective(`It ${file.reason}.`, suggestion)
  }
  try {
    return { value: JSON.parse(file.text) }
  } catch {
    const place = findJsonFault(file.text)
    const where = place === null ? 'it breaks' : `line ${place.line}, column ${place.column}: ${place.hint}`
    return defective(`It is not valid JSON: ${where}.`, 'Mend the JSON; comments and trailing commas are not taken.')
  }
}

/** Legitimate in a library's house; for whoever started the service in another folder the one line that explains all. */
function noneProblem(folder: string, isMissing: boolean): Problem {
  return {
    code: 'COLLECTIONS_NONE' satisfies CollectionProblemCode,
    severity: 'info',
    setting: 'collections.dir',
    origin: null,
    part: null,
    message: `No collection is served: the folder ${folder} ${isMissing ? 'is not there' : 'has no file that ends in ".json"'}.`,
    suggestion:
      'Put a collection there, start the service in the folder that has them, or name theirs in COLLECTIONS_DIR.',
  }
}

function unreadable(folder: string, error: unknown): Problem {
  return {
    code: 'COLLECTIONS_UNREADABLE' satisfies CollectionProblemCode,
    severity: 'error',
    setting: 'collections.dir',
    origin: null,
    part: null,
    message: `The collections folder ${folder} cannot be read (${errorCodeOf(error) ?? 'unknown'}); no collection is served from it.`,
    suggestion: 'Make the folder, or give the right one in COLLECTIONS_DIR.',
  }
}

function problemOf(place: string, origin: Origin, defect: Defect): Problem {
  return {
    code: 'COLLECTION_INVALID' satisfies CollectionProblemCode,
    severity: 'error',
    setting: `${place}#${defect.pointer}`,
    origin,
    part: defect.pointer === '' ? null : defect.pointer,
    message: defect.message,
    suggestion: defect.suggestion,
  }
}

/** Relative where it is below the working directory: the same words on every machine. */
function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path)
  return shown.startsWith('..') ? path : shown.split(sep).join('/')
}
