import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Cleanup } from '../support/temp.ts'

/** The database behind the contestants. */
export type On = 'sqlite' | 'postgresql'

/** How long, how often and against what is measured. */
export interface BenchOptions {
  /** The length of one measurement. */
  readonly seconds: number
  /** How long each case runs before it is measured: V8 compiles what the case needs. */
  readonly warmUpSeconds: number
  readonly repeat: number
  /** Names of cases; empty: all. */
  readonly only: readonly string[]
  readonly rows: number
  readonly on: On
  /** The folder whose build is the other contestant; null: the other servers. */
  readonly against: string | null
  /** The result as one JSON object instead of text. */
  readonly json: boolean
}

/** What the build of another folder is made of and stands on. */
const buildFiles = [
  'dist/built.json',
  'dist/main.js',
  'config/collections/feedback.json',
  'node_modules/better-sqlite3',
]

/**
 * Reads `--seconds 5 --repeat 5 --only get,list --rows 10000 --on postgresql --against ../before --json`.
 *
 * @throws {Error} with a sentence for the person who typed it.
 */
export function readOptions(args: readonly string[], caseNames: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '2' },
      repeat: { type: 'string' },
      rows: { type: 'string', default: '10000' },
      only: { type: 'string', default: '' },
      on: { type: 'string', default: 'sqlite' },
      against: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const { on, json } = values
  if (on !== 'sqlite' && on !== 'postgresql') throw new Error(`--on accepts sqlite or postgresql, not "${on}".`)
  const only = values.only.split(',').filter((name) => name !== '')
  const unknown = only.find((name) => !caseNames.includes(name))
  if (unknown !== undefined) throw new Error(`--only: "${unknown}" is not a case. Use some of ${caseNames.join(', ')}.`)
  const against = values.against === undefined ? null : readFolder(values.against)
  return {
    seconds: readNumber('seconds', values.seconds),
    warmUpSeconds: 0.5,
    repeat: readCount('repeat', values.repeat ?? (against === null ? '5' : '10')),
    rows: readCount('rows', values.rows),
    ...{ on, json, only, against },
  }
}

/** Reads a number above 0. */
export function readNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} accepts a number above 0, not "${text}".`)
  return value
}

/** Reads a whole number above 0. */
export function readCount(name: string, text: string): number {
  const value = readNumber(name, text)
  if (!Number.isInteger(value)) throw new Error(`--${name} accepts a whole number, not "${text}".`)
  return value
}

/** Reads a folder with a build. */
export function readFolder(text: string): string {
  const folder = resolve(text)
  if (!existsSync(folder)) throw new Error(`--against: there is no folder ${folder}.`)
  const absent = buildFiles.filter((file) => !existsSync(join(folder, file)))
  if (absent.length === 0) return folder
  throw new Error(
    `--against: ${folder} has no build to run: ${absent.join(', ')} not found. ` +
      'Name the folder of a working tree, and run "npm ci" and "npm run build" there first.',
  )
}

/** Runs `work` with somewhere to hang the cleaning up, which is done whatever happens. */
export async function withCleanup<T>(work: (t: Cleanup) => Promise<T>): Promise<T> {
  const cleaning: (() => void | Promise<void>)[] = []
  try {
    return await work({ after: (clean) => void cleaning.push(clean) })
  } finally {
    for (const clean of cleaning) await clean()
  }
}
