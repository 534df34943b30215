/**
 * The load: a process of its own that keeps some connections busy with one request each (no pipelining) and counts.
 * `node load.ts '<JSON of LoadOptions>'` prints one line, the JSON of `LoadResult`.
 */
import { connect, type Socket } from 'node:net'

/** What is asked of one run. */
export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Stops after this many answers, when that comes first. */
  readonly count?: number
  readonly method: 'GET' | 'POST'
  /** Taken in turn. */
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

const options: LoadOptions = JSON.parse(process.argv[2] ?? '{}')
const requests = options.paths.map((path) => Buffer.from(write(path)))
const latenciesMs: number[] = []
const sockets: Socket[] = []
let sent = 0
let failures = 0
let isOver = false

const startedMs = performance.now()
const startedCpu = process.cpuUsage()
for (let at = 0; at < options.connections; at += 1) open()
setTimeout(finish, options.seconds * 1000)

function write(path: string): string {
  const head = `${options.method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`
  if (options.body === undefined) return `${head}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(options.body)}\r\n\r\n${options.body}`
}

function open(): void {
  const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true })
  let pending = ''
  let askedMs = 0
  const ask = () => {
    if (isOver) return
    const next = requests[sent % requests.length]
    sent += 1
    askedMs = performance.now()
    if (next) socket.write(next)
  }
  socket.on('connect', ask)
  // Latin-1: one character a byte, so that lengths are those of the header.
  socket.setEncoding('latin1').on('data', (part) => {
    pending += part
    const end = endOfAnswer(pending)
    if (end === null || isOver) return
    latenciesMs.push(performance.now() - askedMs)
    if (pending.charCodeAt(9) !== 50) failures += 1 // "HTTP/1.1 2.."
    pending = pending.slice(end)
    if (options.count !== undefined && latenciesMs.length >= options.count) finish()
    else ask()
  })
  socket.on('error', () => {
    if (!isOver) failures += 1
  })
  socket.on('close', () => {
    if (!isOver && failures < 100) open()
  })
  sockets.push(socket)
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

function finish(): void {
  if (isOver) return
  isOver = true
  const seconds = (performance.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage(startedCpu)
  for (const socket of sockets) socket.destroy()
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? Number.NaN
  const result: LoadResult = {
    requests: latenciesMs.length,
    perSecond: latenciesMs.length / seconds,
    failures,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMs: (user + system) / 1000,
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exit(0)
}
