import { stat } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { Declarations } from './driver-settings.ts'
import { type JsonDuplicate, type JsonFault, readJsonText } from './json-fault.ts'
import { holdsCredentials } from './mask.ts'
import { hiddenText, type Origin } from './problem.ts'
import { readValue } from './read-value.ts'
import { coreSchema } from './schema/schema.ts'
import { coreSettings } from './settings-schema.ts'
import { readTextFile } from './text-file.ts'

/** Everything that was given, not yet checked. Values are functions, so that printing this prints no secret. */
export interface Layers {
  readonly cwd: string
  /** Lowest first: `config/default.json`, `config/<NODE_ENV>.json`, `CONFIG_FILE`; or the options given in code. */
  readonly files: readonly SettingsFile[]
  readonly environment: Environment
  readonly secretFiles: readonly SecretFile[]
}

/** One settings file (or the options given in code): its content, or why it has none. */
export interface SettingsFile {
  readonly origin: Origin
  readonly content: (() => unknown) | { readonly reason: string; readonly fault: JsonFault | null }
  /** Names that stand twice in one object, of which the last counts. */
  readonly duplicates?: readonly JsonDuplicate[]
}

/** The variables that are set; an empty one is not. */
export interface Environment {
  readonly names: readonly string[]
  value(name: string): string | undefined
}

/** The file that a variable `NAME_FILE` names. */
export interface SecretFile {
  /** The setting's environment name, without `_FILE`. */
  readonly env: string
  readonly path: string
  /** The path for people; hidden when it may be a secret in the wrong place. */
  readonly shown: string
  readonly content: (() => string) | { readonly reason: string }
}

/** A value that was given for a setting, not yet checked. */
export interface RawValue {
  readonly key: string
  /** As it was written: `PORT`, `http.port`, `http_port`. */
  readonly name: string
  readonly origin: Origin
  /** The value, or why there is none although it was given. */
  readonly value: (() => unknown) | { readonly reason: string }
}

/** Where to look. `file` replaces CONFIG_FILE. */
export interface LayersFrom {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly file?: string
}

const settingsFileMaxBytes = 1024 * 1024
/** No secret ends like the name of a file. */
const fileName = /^[\w./-]{1,200}\.(?:json|txt|pem|crt|key|env|secret)$/
/** No system accepts longer ones. */
const pathMaxLength = 4096
/** A bundle of certificates may be the content. */
const secretFileMaxBytes = 1024 * 1024

/** Reads the files and copies the environment. Never throws: what cannot be read becomes a problem when the layers are resolved. */
export async function readLayers(from: LayersFrom): Promise<Layers> {
  const environment = environmentOf(from.env, from.file)
  const { nodeEnv } = coreSchema.platform
  const named = readValue(nodeEnv, environment.value(nodeEnv.env) ?? nodeEnv.default)
  const name = 'value' in named ? named.value : nodeEnv.default
  const paths = ['config/default.json', ...(name === 'default' ? [] : [`config/${name}.json`])]
  const files = await Promise.all(paths.map((path) => readSettingsFile(from.cwd, path, true)))
  const own = environment.value(coreSchema.config.file.env)
  if (own !== undefined) files.push(await readSettingsFile(from.cwd, own, false))
  const layers = { cwd: from.cwd, files: files.filter((file) => file !== null), environment, secretFiles: [] }
  return refreshSecrets(layers)
}

/**
 * The same layers with every `NAME_FILE` re-read, also those of the drivers' `declarations`. A file that was read before
 * and cannot be read now keeps its last content: it is being replaced.
 */
export async function refreshSecrets(layers: Layers, declarations: Declarations = {}): Promise<Layers> {
  const names = new Set([...coreSettings.values()].filter((one) => !one.environmentOnly).map((one) => one.env))
  for (const declared of Object.values(declarations)) {
    // A driver's CONFIG would claim CONFIG_FILE.
    for (const { env } of Object.values(declared)) if (`${env}_FILE` !== coreSchema.config.file.env) names.add(env)
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

/** Layers of options given in code: no file and no environment is read. */
export function layersOfOptions(options: unknown): Layers {
  const given: SettingsFile = { origin: { from: 'options' }, content: () => options }
  return { cwd: '.', files: [given], environment: { names: [], value: () => undefined }, secretFiles: [] }
}

function environmentOf(env: NodeJS.ProcessEnv, file: string | undefined): Environment {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(env)) if (value !== undefined && value !== '') values.set(name, value)
  if (file !== undefined) values.set(coreSchema.config.file.env, file)
  return { names: [...values.keys()], value: (name) => values.get(name) }
}

/** Null for an optional file that does not exist. */
async function readSettingsFile(cwd: string, path: string, isOptional: boolean): Promise<SettingsFile | null> {
  const origin: Origin = { from: 'file', path: isOptional ? path : await shownPath(cwd, path) }
  const file = await readTextFile(resolve(cwd, path), settingsFileMaxBytes)
  if ('reason' in file) {
    return file.isMissing && isOptional ? null : { origin, content: { reason: file.reason, fault: null } }
  }
  const read = readJsonText(file.text)
  if ('fault' in read) return { origin, content: { reason: 'is not valid JSON', fault: read.fault } }
  return { origin, content: () => read.value, duplicates: read.duplicates }
}

async function readSecret(cwd: string, env: string, path: string): Promise<SecretFile> {
  const file = await readTextFile(resolve(cwd, path), secretFileMaxBytes)
  const shown = await shownPath(cwd, path)
  if ('reason' in file) return { env, path, shown, content: { reason: file.reason } }
  const text = file.text.replace(/\r?\n$/, '')
  if (text === '') return { env, path, shown, content: { reason: 'is empty' } }
  return { env, path, shown, content: () => text }
}

/**
 * A path for people. What has a file's name is shown, and what is, or is in, something that exists other than the root
 * and the working directory; any other text may be a secret that was put in the place of its file's path. Never rejects.
 */
async function shownPath(cwd: string, path: string): Promise<string> {
  if (holdsCredentials(path) || path.length > pathMaxLength || /\p{Cc}/u.test(path)) return hiddenText
  if (fileName.test(path)) return path
  const from = isAbsolute(path) ? '/' : resolve(cwd)
  for (let at = resolve(cwd, path); at !== dirname(at) && !`${from}/`.startsWith(`${at}/`); at = dirname(at)) {
    if (await stat(at).catch(() => null)) return path
  }
  return hiddenText
}
