import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { asServer } from '../../support/servers/postgres.ts'
import { childrenOf, signalTo } from '../../support/servers/watchdog.ts'

/** A program of a cluster, and how it is started. */
export interface DaemonOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A file that gets what it prints. */
  readonly log: string
}

/** A program that runs in the background as an ordinary user, and is killed, stopped and started again. */
export class Daemon {
  readonly #options: DaemonOptions
  #child: ChildProcess | null = null

  constructor(options: DaemonOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    const child = this.#child
    return child !== null && child.exitCode === null && child.signalCode === null
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  /** Nothing happens while it runs. `more`: arguments of this start alone. */
  start(more: readonly string[] = []): void {
    if (this.isRunning) return
    const { command, args, env = {}, log } = this.#options
    const out = openSync(log, 'a')
    this.#child = spawn(command, [...args, ...more], {
      stdio: ['ignore', out, out],
      detached: true,
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...env },
      ...asServer(),
    })
    this.#child.on('error', () => {})
  }

  /** SIGKILL to it and its children; resolves when it has ended. */
  async kill(): Promise<void> {
    await this.#end(() => signalTree(this.pid, 'SIGKILL'))
  }

  /** SIGTERM; resolves when it has ended. */
  async stop(): Promise<void> {
    await this.#end(() => signalTo(this.pid, 'SIGTERM'))
  }

  pause(): void {
    if (this.isRunning) signalTree(this.pid, 'SIGSTOP')
  }

  resume(): void {
    if (this.isRunning) signalTree(this.pid, 'SIGCONT')
  }

  async #end(end: () => void): Promise<void> {
    const child = this.#child
    if (child === null || !this.isRunning) return
    const ended = once(child, 'exit')
    end()
    await ended
  }
}

/** To a process and its children. The parent stops first: it must not fork more while its children are found. */
export function signalTree(pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
  if (pid <= 1) return
  if (signal !== 'SIGCONT') signalTo(pid, 'SIGSTOP')
  for (const child of childrenOf(pid)) signalTo(child, signal)
  signalTo(pid, signal)
}
