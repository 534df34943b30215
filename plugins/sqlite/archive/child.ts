import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { setPriority } from 'node:os'
import { type FileProof, faultError } from '../../../src/driver/kit/driver-kit.ts'
import { childCode } from './child-code.ts'

/** What the other process is to do. */
interface Task {
  /** To be read; where there is `into`, that copy of it. */
  readonly path: string
  readonly into: string | null
}

/** Where other processes have their libraries from; nothing else of ours is theirs to know. */
const inherited = ['PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD', 'TMPDIR'] as const

/** Less urgent than what serves. */
const niceness = 10

/** Reads a file that nobody writes to, in another process. @throws what `classify` reads; the signal's reason. */
export function proveFile(path: string, signal: AbortSignal): Promise<FileProof> {
  return run({ path, into: null }, signal, () => {})
}

/**
 * Copies a file in another process, and reads the copy: closing the file in this one would drop SQLite's locks on it. `copied`
 * is called between the two. @throws what `classify` reads; the signal's reason. Then there may be a part of the copy.
 */
export function copyFile(path: string, into: string, signal: AbortSignal, copied: () => void): Promise<FileProof> {
  return run({ path, into }, signal, copied)
}

async function run(task: Task, signal: AbortSignal, copied: () => void): Promise<FileProof> {
  signal.throwIfAborted()
  const client = createRequire(import.meta.url).resolve('better-sqlite3')
  const env = Object.fromEntries(inherited.flatMap((name) => entryOf(name)))
  const child = spawn(process.execPath, ['-e', childCode, JSON.stringify({ ...task, client })], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const abort = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', abort, { once: true })
  try {
    const answer = await answerOf(child, copied)
    signal.throwIfAborted()
    if ('proof' in answer) return answer.proof
    throw Object.assign(new Error(answer.message), answer.code === null ? {} : { code: answer.code })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function entryOf(name: string): readonly (readonly [string, string])[] {
  const value = process.env[name]
  return value === undefined ? [] : [[name, value]]
}

type Answer = { readonly proof: FileProof } | { readonly code: string | null; readonly message: string }

/** The most that is kept of what it says. */
const outputMax = 16 * 1024 * 1024

function answerOf(child: ChildProcess, copied: () => void): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  let output = ''
  let errors = ''
  let isCopied = false
  child.once('spawn', () => lower(child))
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (output.length < outputMax) output += text
    if (isCopied || !output.startsWith('copied\n')) return
    isCopied = true
    copied()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-1_000)
  })
  child.once('error', reject)
  child.once('close', (status, killedBy) => {
    const answer = read(output)
    if (answer !== null) return resolve(answer)
    const summary = 'The process that reads a copy of the SQLite file ended early.'
    const hint = 'Check the memory limit of the container; Holdfast tries again.'
    const cause = new Error(`${killedBy ?? status}: ${errors.trim()}`)
    reject(faultError('capacity', 'SQLITE_READER_ENDED', summary, hint, { cause }))
  })
  return promise
}

/** Null where it is not complete. */
function read(output: string): Answer | null {
  const line = output.slice(output.startsWith('copied\n') ? 'copied\n'.length : 0)
  // The child's text writes nothing else.
  return line.endsWith('\n') ? (JSON.parse(line) as Answer) : null
}

function lower({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, niceness)
  } catch {
    // It is done already, or the system does not allow it.
  }
}
