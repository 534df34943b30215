import { resolve } from 'node:path'
import { flatten } from './flat.ts'
import { findJsonFault, type JsonPlace } from './json-place.ts'
import type { Declarations } from './plugin-schema.ts'
import type { Origin } from './problem.ts'
import { coreSchema } from './schema.ts'
import { readTextFile } from './text-file.ts'

/**
 * All that was given, not yet judged. Values are behind functions, because they may be secrets: whatever prints this
 * prints none.
 */
export interface Layers {
  readonly cwd: string
  /** Lowest first: `config/default.json`, `config/<NODE_ENV>.json`, `CONFIG_FILE`; or the options given in code. */
  readonly trees: readonly Tree[]
  readonly environment: Environment
  readonly secretFiles: readonly SecretFile[]
}

/** One settings file (or the options): its content, or why it has none. */
export interface Tree {
  readonly origin: Origin
  readonly content: (() => unknown) | { readonly reason: string; readonly place: JsonPlace | null }
}

/** The variables that are set; an empty one is not. */
export interface Environment {
  readonly names: readonly string[]
  value(name: string): string | undefined
}

/** What a variable `NAME_FILE` points at. */
export interface SecretFile {
  /** The setting's environment name, without `_FILE`. */
  readonly env: string
  readonly path: string
  readonly content: (() => string) | { readonly reason: string }
}

/** Where to look. `file` stands for CONFIG_FILE, and wins over it. */
export interface LayersFrom {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly file?: string
}

const settingsFileMaxBytes = 1024 * 1024
const secretFileMaxBytes = 64 * 1024

/** Reads the files and notes the environment as it is now. Never throws: what cannot be read becomes a problem when the layers are resolved. */
export async function readLayers(from: LayersFrom): Promise<Layers> {
  const environment = environmentOf(from.env, from.file)
  const { nodeEnv } = coreSchema.platform
  const named = nodeEnv.format.read(environment.value(nodeEnv.env) ?? nodeEnv.default)
  const name = 'value' in named ? named.value : nodeEnv.default
  const paths = ['config/default.json', ...(name === 'default' ? [] : [`config/${name}.json`])]
  const trees = await Promise.all(paths.map((path) => readTree(from.cwd, path, true)))
  const own = environment.value(coreSchema.config.file.env)
  if (own !== undefined) trees.push(await readTree(from.cwd, own, false))
  const layers = { cwd: from.cwd, trees: trees.filter((tree) => tree !== null), environment, secretFiles: [] }
  return refreshSecrets(layers)
}

/**
 * The same layers with every `NAME_FILE` read anew, also those of the drivers' `declarations`. A file that was read
 * before and cannot be read now keeps its last content: it is being replaced.
 */
export async function refreshSecrets(layers: Layers, declarations: Declarations = {}): Promise<Layers> {
  const names = new Set([...flatten(coreSchema).values()].filter((one) => !one.environmentOnly).map((one) => one.env))
  for (const declared of Object.values(declarations)) {
    for (const { env } of Object.values(declared)) if (!isCoreFileName(`${env}_FILE`)) names.add(env)
  }
  for (const known of layers.secretFiles) names.add(known.env)
  const pointed = [...names].flatMap((env) => {
    const path = layers.environment.value(`${env}_FILE`)
    return path === undefined ? [] : [{ env, path }]
  })
  const secretFiles = pointed.map(async ({ env, path }) => {
    const known = layers.secretFiles.find((one) => one.env === env && typeof one.content === 'function')
    const read = await readSecret(layers.cwd, env, path)
    return typeof read.content === 'function' ? read : (known ?? read)
  })
  return { ...layers, secretFiles: await Promise.all(secretFiles) }
}

/** Layers of one tree given in code: no file and no environment is read. */
export function layersOfOptions(options: unknown): Layers {
  const tree: Tree = { origin: { from: 'options' }, content: () => options }
  return { cwd: '.', trees: [tree], environment: { names: [], value: () => undefined }, secretFiles: [] }
}

function isCoreFileName(name: string): boolean {
  return name === coreSchema.config.file.env
}

function environmentOf(env: NodeJS.ProcessEnv, file: string | undefined): Environment {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(env)) if (value !== undefined && value !== '') values.set(name, value)
  if (file !== undefined) values.set(coreSchema.config.file.env, file)
  return { names: [...values.keys()], value: (name) => values.get(name) }
}

/** Null for a file that need not be there and is not. */
async function readTree(cwd: string, path: string, isOptional: boolean): Promise<Tree | null> {
  const origin: Origin = { from: 'file', path }
  const file = await readTextFile(resolve(cwd, path), settingsFileMaxBytes)
  if ('reason' in file) {
    return file.isMissing && isOptional ? null : { origin, content: { reason: file.reason, place: null } }
  }
  const place = findJsonFault(file.text)
  if (place !== null) return { origin, content: { reason: 'is not valid JSON', place } }
  const content: unknown = JSON.parse(file.text)
  return { origin, content: () => content }
}

async function readSecret(cwd: string, env: string, path: string): Promise<SecretFile> {
  const file = await readTextFile(resolve(cwd, path), secretFileMaxBytes)
  if ('reason' in file) return { env, path, content: { reason: file.reason } }
  const text = file.text.replace(/\r?\n$/, '')
  if (text === '') return { env, path, content: { reason: 'is empty' } }
  return { env, path, content: () => text }
}
