/**
 * The load generator: a process of its own that keeps some connections busy with one request each (no pipelining) and counts.
 * For each `LoadOptions` that its parent sends it answers with a `LoadResult`.
 */
import { randomUUID } from 'node:crypto'
import { Connection } from './connection.ts'

/** What is asked of one run. */
export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Ends after this many answers, when that comes first. */
  readonly count?: number
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Requested in turn. */
  readonly paths: readonly string[]
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** True: each request has an `Idempotency-Key` of its own. */
  readonly isKeyed?: boolean
  /** Every tenth request is this one instead, with the path that it would have had. */
  readonly everyTenth?: Pick<LoadOptions, 'method' | 'body'>
  /** True: the result has where the rows are that were created. */
  readonly isLocating?: boolean
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  /** Answers whose status is not 2xx, and connections that broke. */
  readonly failures: number
  /** From each request to its answer, in the order of the answers. */
  readonly latenciesMs: Float64Array
  /** Processor time that the load itself took. */
  readonly cpuMs: number
  readonly locations: readonly string[]
}

/** How long the last answers are waited for: no request of one run may cost the service time in the next. */
const drainMs = 10_000

/** Connections that wait for the next run, by port: to open them again in each slice would cost more than some requests. */
const idle = new Map<number, Connection[]>()

/** How long they are used again: servers close idle connections after 5 s. */
const idleMaxMs = 2_000

/** A run is given up when this many connections broke. */
const failuresMax = 100

process.on('message', (options: LoadOptions) => {
  void new Run(options).result.then((result) => process.send?.(result)) // Nothing in it rejects.
})
process.on('disconnect', () => process.exit(0))

class Run {
  readonly result: Promise<LoadResult>
  readonly #options: LoadOptions
  readonly #requests: readonly Buffer[]
  readonly #latenciesMs: number[] = []
  readonly #locations: string[] = []
  readonly #connections: Connection[] = []
  #startedMs = Number.NaN
  #startedCpu = process.cpuUsage()
  #timer: NodeJS.Timeout | null = null
  #end: (result: LoadResult) => void = () => undefined
  #sent = 0
  #waiting = 0
  #failures = 0
  #isOver = false
  #hasEnded = false

  constructor(options: LoadOptions) {
    this.#options = options
    const { paths, everyTenth = options } = options
    this.#requests = paths.map((path, at) => Buffer.from(write(at % 10 === 9 ? everyTenth : options, path)))
    this.result = new Promise((resolve) => {
      this.#end = resolve
    })
    for (let at = 0; at < options.connections; at += 1) this.#open()
  }

  /** With the first request: what came before is no part of the load. */
  #start(): void {
    if (this.#timer !== null) return
    this.#startedMs = performance.now()
    this.#startedCpu = process.cpuUsage()
    this.#timer = setTimeout(() => this.#stop(), this.#options.seconds * 1000)
  }

  #open(): void {
    const { port, isLocating = false, isKeyed = false } = this.#options
    let askedMs = Number.NaN
    const ask = () => {
      const next = this.#requests[this.#sent % this.#requests.length]
      if (this.#isOver || next === undefined || this.#sent === this.#options.count) return
      this.#start()
      this.#sent += 1
      this.#waiting += 1
      askedMs = performance.now()
      connection.send(isKeyed ? this.#keyed() : next)
    }
    const settle = () => {
      this.#waiting -= 1
      askedMs = Number.NaN
      if (this.#latenciesMs.length === this.#options.count) this.#isOver = true
      if (this.#isOver && this.#waiting === 0) this.#finish()
    }
    const user = {
      opened: ask,
      answered: (status: number, bytes: Buffer) => {
        if (Number.isNaN(askedMs)) return
        this.#latenciesMs.push(performance.now() - askedMs)
        if (status < 200 || status > 299) this.#failures += 1
        if (isLocating) this.#locations.push(locationIn(bytes))
        settle()
        ask()
      },
      closed: () => {
        if (this.#hasEnded) return
        this.#failures += 1
        if (!Number.isNaN(askedMs)) settle()
        if (this.#failures >= failuresMax) this.#stop()
        else if (!this.#isOver) this.#open()
      },
    }
    const kept = takeIdle(port)
    const connection = kept ?? new Connection(port, user)
    this.#connections.push(connection)
    if (kept === null) return
    kept.giveTo(user)
    ask()
  }

  /** The next request, with a key that no other has. */
  #keyed(): Buffer {
    const { headers, paths } = this.#options
    const path = paths[this.#sent % paths.length] ?? ''
    return Buffer.from(write({ ...this.#options, headers: { ...headers, 'Idempotency-Key': randomUUID() } }, path))
  }

  #stop(): void {
    this.#isOver = true
    if (this.#waiting === 0) this.#finish()
    else setTimeout(() => this.#finish(), drainMs).unref()
  }

  #finish(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const seconds = (performance.now() - this.#startedMs) / 1000
    const { user, system } = process.cpuUsage(this.#startedCpu)
    clearTimeout(this.#timer ?? undefined)
    keepIdle(this.#connections, this.#options.port, this.#waiting === 0)
    this.#end({
      requests: this.#latenciesMs.length,
      perSecond: this.#latenciesMs.length / seconds,
      failures: this.#failures + this.#waiting,
      latenciesMs: Float64Array.from(this.#latenciesMs),
      cpuMs: (user + system) / 1000,
      locations: this.#locations,
    })
  }
}

function takeIdle(port: number): Connection | null {
  const kept = idle.get(port)?.pop()
  if (kept === undefined || kept.isUsable(idleMaxMs)) return kept ?? null
  kept.destroy()
  return takeIdle(port)
}

function keepIdle(connections: readonly Connection[], port: number, isQuiet: boolean): void {
  // One that still waits for an answer would give it to the next run.
  if (!isQuiet) for (const one of connections) one.destroy()
  else {
    for (const one of connections) one.giveTo(null)
    idle.set(port, [...(idle.get(port) ?? []), ...connections])
  }
}

function write({ method, body, headers = {} }: Pick<LoadOptions, 'method' | 'body' | 'headers'>, path: string): string {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more.join('')}`
  if (body === undefined) return `${head}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function locationIn(bytes: Buffer): string {
  return /\r\nlocation: *(\S+)/i.exec(bytes.toString('latin1', 0, 4096))?.[1] ?? ''
}
