/**
 * The load generator: a process of its own that keeps some connections busy with one request each (no pipelining) and counts.
 * For each `LoadOptions` that its parent sends it answers with a `LoadResult`.
 */
import { connect, type Socket } from 'node:net'

/** What is asked of one run. */
export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Ends after this many answers, when that comes first. */
  readonly count?: number
  readonly method: 'GET' | 'POST'
  /** Requested in turn. */
  readonly paths: readonly string[]
  readonly body?: string
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  /** Answers whose status is not 2xx, and connections that broke. */
  readonly failures: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time that the load itself took. */
  readonly cpuMs: number
}

/** How long the last answers are waited for: no request of one run may cost the service time in the next. */
const drainMs = 10_000

/** Connections that wait for the next run, by port: to open them anew in each slice would cost more than some requests. */
const idle = new Map<number, { readonly socket: Socket; readonly sinceMs: number }[]>()

/** How long they are used again: servers close idle connections after 5 s. */
const idleMaxMs = 2_000

process.on('message', (options: LoadOptions) => {
  void new Run(options).result.then((result) => process.send?.(result)) // Nothing in it rejects.
})
process.on('disconnect', () => process.exit(0))

class Run {
  readonly result: Promise<LoadResult>
  readonly #options: LoadOptions
  readonly #requests: readonly Buffer[]
  readonly #latenciesMs: number[] = []
  readonly #sockets: Socket[] = []
  readonly #startedMs = performance.now()
  readonly #startedCpu = process.cpuUsage()
  #end: (result: LoadResult) => void = () => undefined
  #sent = 0
  #waiting = 0
  #failures = 0
  #isOver = false
  #hasEnded = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#requests = options.paths.map((path) => Buffer.from(write(options, path)))
    this.result = new Promise((resolve) => {
      this.#end = resolve
    })
    for (let at = 0; at < options.connections; at += 1) this.#open()
    setTimeout(() => this.#stop(), options.seconds * 1000)
  }

  #open(): void {
    const { port } = this.#options
    const kept = takeIdle(port)
    const socket = kept ?? connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
    let pending = ''
    let askedMs: number | null = null
    const ask = () => {
      const next = this.#requests[this.#sent % this.#requests.length]
      if (this.#isOver || next === undefined || this.#sent === this.#options.count) return
      this.#sent += 1
      this.#waiting += 1
      askedMs = performance.now()
      socket.write(next)
    }
    const settle = () => {
      this.#waiting -= 1
      askedMs = null
      if (this.#latenciesMs.length === this.#options.count) this.#isOver = true
      if (this.#isOver && this.#waiting === 0) this.#finish()
    }
    if (kept) ask()
    else socket.on('connect', ask)
    // Latin-1: one character for each byte, so that lengths are those of the header.
    socket.on('data', (part: string) => {
      pending += part
      const end = endOfAnswer(pending)
      if (end === null || askedMs === null) return
      this.#latenciesMs.push(performance.now() - askedMs)
      if (pending.charCodeAt(9) !== 50) this.#failures += 1 // "HTTP/1.1 2.."
      pending = pending.slice(end)
      settle()
      ask()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#hasEnded) return
      this.#failures += 1
      if (askedMs !== null) settle()
      if (!this.#isOver && this.#failures < 100) this.#open()
    })
    this.#sockets.push(socket)
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
    for (const socket of this.#sockets) keepIdle(socket, this.#options.port)
    const sorted = this.#latenciesMs.sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
    this.#end({
      requests: sorted.length,
      perSecond: sorted.length / seconds,
      failures: this.#failures + this.#waiting,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuMs: (user + system) / 1000,
    })
  }
}

function takeIdle(port: number): Socket | null {
  const { socket, sinceMs } = idle.get(port)?.pop() ?? {}
  if (socket === undefined || sinceMs === undefined) return null
  if (!socket.destroyed && performance.now() - sinceMs < idleMaxMs) return forget(socket)
  socket.destroy()
  return takeIdle(port)
}

function keepIdle(socket: Socket, port: number): void {
  forget(socket).on('error', () => undefined)
  if (socket.destroyed) return
  const others = idle.get(port) ?? []
  idle.set(port, others)
  others.push({ socket, sinceMs: performance.now() })
}

/** Removes what a run listens to; the socket's own listeners stay. */
function forget(socket: Socket): Socket {
  for (const event of ['connect', 'data', 'error', 'close']) socket.removeAllListeners(event)
  return socket
}

function write({ method, body }: LoadOptions, path: string): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`
  if (body === undefined) return `${head}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function endOfAnswer(text: string): number | null {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return null
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))
  if (length) {
    const end = head + 4 + Number(length[1])
    return text.length >= end ? end : null
  }
  const chunksEnd = text.indexOf('0\r\n\r\n', head + 4)
  return chunksEnd < 0 ? null : chunksEnd + 5
}
