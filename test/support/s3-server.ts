import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Cleanup, cleanLater } from './temp.ts'

/** What a request gets instead of the right answer. */
export type S3Misbehaviour =
  | 'busy' // 503 SlowDown
  | 'broken' // 500 InternalError
  | 'conflict' // 409 ConditionalRequestConflict
  | 'precondition' // 412, whatever is there
  | 'denied' // 403 AccessDenied
  | 'full' // 403 QuotaExceeded
  | 'html' // 200 with the page of a proxy
  | 'html-404' // 404 with the page of a proxy
  | 'redirect' // 302, also to what is not a GET
  | 'hang' // no answer at all
  | 'reset' // the connection ends before anything is done
  | 'lost' // it is done, and the connection ends before the answer
  | 'truncated' // half of the body, then the end of the connection
  | 'short' // half of the body, as if that were all
  | 'empty' // no body
  | 'altered' // one bit of the body is another

/** A request as the server saw it. */
export interface S3Request {
  readonly method: string
  /** Without the bucket; empty: the bucket itself. */
  readonly key: string
  readonly query: URLSearchParams
  readonly isConditional: boolean
  /** 0: no answer was sent. */
  status: number
}

interface S3Rule {
  readonly what: S3Misbehaviour
  readonly on: (request: S3Request) => boolean
  times: number
}

/** How the store behaves throughout. */
export interface S3Behaviour {
  /** The path of its endpoint, before the bucket: `/team`. */
  path: string
  /** GET answers 302 to another origin, which must not get the credential. */
  redirectsGets: boolean
  /** `unsupported`: a conditional PUT is answered with 501. */
  conditions: 'honoured' | 'ignored' | 'unsupported'
  mayDelete: boolean
  /** Before each answer. */
  delayMs: number
  /** Its clock, ahead of ours. */
  skewMs: number
  /** Most keys of one page of a listing. */
  pageKeys: number
  /** It does not know `start-after`. */
  ignoresStartAfter: boolean
}

const accessKeyId = 'TESTKEYID000000000001'
const secretAccessKey = 'test/secret+of/the/bucket=0123456789abcdef'
const skewMaxMs = 15 * 60_000

/** An S3-compatible store of one bucket, in memory: path style, signatures verified, put if absent. */
export class S3Server {
  readonly bucket: string = 'rows'
  readonly region: string = 'us-east-1'
  readonly accessKeyId: string = accessKeyId
  readonly secretAccessKey: string = secretAccessKey
  /** By key, without the bucket. A test may read and change them. */
  readonly objects: Map<string, Uint8Array> = new Map()
  /** Every request, oldest first. */
  readonly requests: S3Request[] = []
  /** Headers with credentials that reached the origin of the redirects. */
  readonly leaked: string[] = []
  /** How many connections were opened. */
  connections = 0
  readonly behaviour: S3Behaviour = {
    path: '',
    redirectsGets: true,
    conditions: 'honoured',
    mayDelete: true,
    delayMs: 0,
    skewMs: 0,
    pageKeys: 1000,
    ignoresStartAfter: false,
  }
  readonly #rules = new Set<S3Rule>()
  #port = 0
  readonly #links = new Map<string, () => Buffer>()
  readonly #api = createServer((request, response) => void this.#serve(request, response))
  readonly #content = createServer((request, response) => this.#serveContent(request, response))

  /** Ends with the test. */
  static async start(t: Cleanup, behaviour: Partial<S3Behaviour> = {}): Promise<S3Server> {
    const server = new S3Server()
    Object.assign(server.behaviour, behaviour)
    server.#api.on('connection', () => {
      server.connections += 1
    })
    await server.resume()
    cleanLater(t, () => server.stop())
    return server
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** For ARCHIVE_URL. */
  url(prefix = 'archive'): string {
    return `s3://${this.bucket}/${prefix}?endpoint=${this.origin}${this.behaviour.path}&region=${this.region}`
  }

  /** The environment of a service that archives here. */
  env(prefix?: string): Readonly<Record<string, string>> {
    return {
      ARCHIVE_URL: this.url(prefix),
      ARCHIVE_ACCESS_KEY_ID: this.accessKeyId,
      ARCHIVE_SECRET_ACCESS_KEY: this.secretAccessKey,
    }
  }

  /** Misbehaves to the next `times` requests that `on` picks, or until the returned function is called. */
  misbehave(
    what: S3Misbehaviour,
    on: (request: S3Request) => boolean = () => true,
    times: number = Number.POSITIVE_INFINITY,
  ): () => void {
    const rule = { what, on, times }
    this.#rules.add(rule)
    return () => this.#rules.delete(rule)
  }

  /** Not reachable until `resume`; the objects stay. */
  async stop(): Promise<void> {
    for (const one of [this.#api, this.#content]) one.closeAllConnections()
    await Promise.all([this.#api, this.#content].map(close))
  }

  /** Reachable again, at the same port. */
  async resume(): Promise<void> {
    await Promise.all([listen(this.#api, this.#port), listen(this.#content, 0)])
    this.#port = portOf(this.#api)
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client may leave at any moment.
    const body = await bodyOf(incoming).catch(() => null)
    if (body === null) return
    const url = new URL(incoming.url ?? '/', 'http://host')
    const path = decodeURIComponent(url.pathname)
    const below = path.startsWith(`${this.behaviour.path}/`) ? path.slice(this.behaviour.path.length) : ''
    const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/.exec(below) ?? []
    const isConditional = incoming.headers['if-none-match'] === '*'
    const seen: S3Request = { method: incoming.method ?? '', key, query: url.searchParams, isConditional, status: 0 }
    this.requests.push(seen)
    const what = this.#misbehaviourOf(seen)
    if (what === 'hang') return
    if (what === 'reset') return void incoming.socket.destroy()
    if (this.behaviour.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.behaviour.delayMs))
    const answer =
      standingAnswer(what) ??
      signatureFault(incoming, body, this.behaviour.skewMs) ??
      (bucket === this.bucket ? this.#perform(seen, body) : failure(404, 'NoSuchBucket'))
    if (what === 'lost') return void incoming.socket.destroy()
    seen.status = answer.status
    send(response, answer, what, this.behaviour.skewMs)
  }

  #misbehaviourOf(request: S3Request): S3Misbehaviour | null {
    for (const rule of this.#rules) {
      if (rule.times <= 0 || !rule.on(request)) continue
      rule.times -= 1
      return rule.what
    }
    return null
  }

  #perform({ method, key, query, isConditional }: S3Request, body: Buffer): S3Answer {
    const { conditions, mayDelete, redirectsGets } = this.behaviour
    switch (method) {
      case 'PUT':
        if (isConditional && conditions === 'unsupported') return failure(501, 'NotImplemented')
        if (isConditional && conditions === 'honoured' && this.objects.has(key))
          return failure(412, 'PreconditionFailed')
        this.objects.set(key, body)
        return { status: 200, headers: { etag: etagOf(body), 'content-type': 'text/html' }, body: Buffer.alloc(0) }
      case 'DELETE':
        if (!mayDelete) return failure(403, 'AccessDenied')
        this.objects.delete(key)
        return { status: 204, headers: {}, body: Buffer.alloc(0) }
      case 'GET': {
        if (key === '') return this.#list(query)
        const found = this.objects.get(key)
        if (found === undefined) return failure(404, 'NoSuchKey')
        if (!redirectsGets) return { status: 200, headers: { etag: etagOf(found) }, body: Buffer.from(found) }
        const path = `/${randomUUID()}`
        this.#links.set(path, () => Buffer.from(found))
        return {
          status: 302,
          headers: { location: `http://127.0.0.1:${portOf(this.#content)}${path}` },
          body: Buffer.alloc(0),
        }
      }
      default:
        return failure(405, 'MethodNotAllowed')
    }
  }

  #list(query: URLSearchParams): S3Answer {
    const { pageKeys, ignoresStartAfter } = this.behaviour
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? (ignoresStartAfter ? '' : (query.get('start-after') ?? ''))
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, Math.min(pageKeys, Number(query.get('max-keys') ?? 1000)))
    const isTruncated = page.length < keys.length
    const contents = page.map(
      (key) => `<Contents><Key>${key}</Key><Size>${this.objects.get(key)?.length}</Size></Contents>`,
    )
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
    const xml = `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join('')}${next}</ListBucketResult>`
    return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(xml) }
  }

  /** The other origin: nothing that authenticates belongs here. */
  #serveContent(incoming: IncomingMessage, response: ServerResponse): void {
    this.leaked.push(
      ...Object.keys(incoming.headers).filter((name) => /^(?:authorization|cookie|x-amz-.*)$/.test(name)),
    )
    const body = this.#links.get(incoming.url ?? '')?.()
    this.#links.delete(incoming.url ?? '')
    const seen: S3Request = {
      method: 'CONTENT',
      key: '',
      query: new URLSearchParams(),
      isConditional: false,
      status: 0,
    }
    const what = this.#misbehaviourOf(seen)
    const answer = body === undefined ? failure(404, 'NoSuchKey') : { status: 200, headers: {}, body }
    send(response, answer, what, 0)
  }
}

interface S3Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

function failure(status: number, code: string): S3Answer {
  const body = Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>As asked.</Message></Error>`)
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

function standingAnswer(what: S3Misbehaviour | null): S3Answer | null {
  const page = Buffer.from('<!doctype html><title>Sign in</title>')
  switch (what) {
    case 'busy':
      return failure(503, 'SlowDown')
    case 'broken':
      return failure(500, 'InternalError')
    case 'conflict':
      return failure(409, 'ConditionalRequestConflict')
    case 'precondition':
      return failure(412, 'PreconditionFailed')
    case 'denied':
      return failure(403, 'AccessDenied')
    case 'full':
      return failure(403, 'QuotaExceeded')
    case 'html':
      return { status: 200, headers: { 'content-type': 'text/html' }, body: page }
    case 'html-404':
      return { status: 404, headers: { 'content-type': 'text/html' }, body: page }
    case 'redirect':
      return { status: 302, headers: { location: 'http://127.0.0.1:1/login' }, body: Buffer.alloc(0) }
    default:
      return null
  }
}

function send(response: ServerResponse, answer: S3Answer, what: S3Misbehaviour | null, skewMs: number): void {
  let { body } = answer
  if (what === 'short') body = body.subarray(0, body.length >> 1)
  if (what === 'empty') body = Buffer.alloc(0)
  if (what === 'altered' && body.length > 0) {
    const at = body.length >> 1
    body = Buffer.from(body)
    body.writeUInt8(body.readUInt8(at) ^ 1, at)
  }
  const date = new Date(Date.now() + skewMs).toUTCString()
  const bodiless = answer.status === 204 ? {} : { 'content-length': body.length }
  response.writeHead(answer.status, { date, ...bodiless, ...answer.headers })
  if (what !== 'truncated') response.end(body)
  else response.write(body.subarray(0, body.length >> 1), () => response.destroy())
}

/** What is wrong with the signature, as S3 defines it (AWS Signature Version 4); null: nothing. */
function signatureFault(request: IncomingMessage, body: Buffer, skewMs: number): S3Answer | null {
  const { authorization = '', 'x-amz-date': date, 'x-amz-content-sha256': hash } = request.headers
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/((\d{8})\/([^/]+)\/s3\/aws4_request), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
  const [, id, scope = '', day = '', region = '', signed = '', signature = ''] = pattern.exec(authorization) ?? []
  if (id === undefined || typeof date !== 'string') return failure(403, 'AccessDenied')
  if (id !== accessKeyId) return failure(403, 'InvalidAccessKeyId')
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(Date.now() + skewMs - at) <= skewMaxMs)) return failure(403, 'RequestTimeTooSkewed')
  if (hash !== sha256(body)) return failure(400, 'XAmzContentSHA256Mismatch')
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const names = signed.split(';')
  const all = Object.keys(request.headers).filter((name) => /^(?:host|if-.*|x-amz-.*)$/.test(name))
  if (!all.every((name) => names.includes(name))) return failure(403, 'AccessDenied')
  const canonical = [
    request.method,
    path,
    query.split('&').sort().join('&'),
    ...names.map((name) => `${name}:${request.headers[name]}`),
    '',
    signed,
    hash,
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`))
  const isRight = timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex'))
  return isRight ? null : failure(403, 'SignatureDoesNotMatch')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

function etagOf(body: Uint8Array): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function portOf(server: Server): number {
  // A server that listens on a port has such an address.
  return (server.address() as AddressInfo).port
}
