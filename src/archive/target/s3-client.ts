import type { IncomingMessage } from 'node:http'
import { AwsV4Signer } from 'aws4fetch'
import type { Secret } from '../../config/secret.ts'
import { sha256Hex } from '../format/packing.ts'
import { type AttemptTools, operationLimitMs, tooLate } from './attempts.ts'
import { discard, HttpConnections, type HttpSending, headerOf, isHtml, isRedirect, isSuccess } from './http.ts'
import { connectionError, operationWords, refusalError, type S3Operation, type S3Refusal } from './s3-fault.ts'
import { elementText } from './s3-listing.ts'
import { TargetError } from './target.ts'

/** A bucket, and a folder in it. */
export interface S3Address {
  readonly bucket: string
  /** Without slashes at its ends; empty: the whole bucket. */
  readonly prefix: string
  /** Origin and path, without a slash at its end: `https://s3.hf.co/team`. */
  readonly endpoint: string
  readonly region: string
}

/** What requests are signed with. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: Secret
  readonly sessionToken: Secret | null
}

/** What an S3 target is made of. `credentials` are read for each request: secrets are rotated. */
export interface S3Options extends AttemptTools {
  readonly address: S3Address
  readonly credentials: () => S3Credentials | null
}

/** One request. */
export interface S3Sending {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  readonly operation: S3Operation
  /** Below the bucket; empty: the bucket itself. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Of an empty body. */
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const errorMaxBytes = 65_536
/** To a content server, and on from there. */
const redirectsMax = 3

/** Signed requests to one store, and what its answers mean; no retries. All rejections are a `TargetError` or the signal's reason. */
export class S3Client {
  readonly #options: S3Options
  /** Signing keys by secret and day. */
  readonly #keys = new Map<string, ArrayBuffer>()
  readonly #connections = new HttpConnections()
  #clockAheadMs: number | null = null

  constructor(options: S3Options) {
    this.#options = options
  }

  /** By the head of the last answer, which has whole seconds; null: it had none. */
  get clockAheadMs(): number | null {
    return this.#clockAheadMs
  }

  /** The answer, whatever it is; a redirect is not followed. */
  async send(
    { method, operation, path, query, body, headers }: S3Sending,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { address, clock, credentials } = this.#options
    const found = credentials()
    if (found === null) {
      throw new TargetError(
        'auth',
        'There is no access key for the archive.',
        'Set ARCHIVE_ACCESS_KEY_ID and ARCHIVE_SECRET_ACCESS_KEY.',
      )
    }
    const where = `${address.endpoint}/${address.bucket}${path === '' ? '' : `/${path}`}`
    const signer = new AwsV4Signer({
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey.reveal(),
      ...(found.sessionToken === null ? {} : { sessionToken: found.sessionToken.reveal() }),
      ...{ service: 's3', region: address.region, cache: this.#keys, method },
      url: query === undefined ? where : `${where}?${new URLSearchParams(query)}`,
      headers: { ...headers, 'x-amz-content-sha256': body === undefined ? emptyHash : await sha256Hex(body) },
    })
    const signed = await signer.sign()
    const sending = { method, headers: Object.fromEntries(signed.headers), body: body ?? null }
    const response = await this.#request(operation, signed.url, sending, signal)
    const date = dateOf(response)
    this.#clockAheadMs = date === null ? null : clock.wallMs() - date.getTime()
    return response
  }

  /** What a redirect of a read leads to, asked without anything that authenticates. */
  async follow(first: IncomingMessage, signal: AbortSignal): Promise<IncomingMessage> {
    let from = new URL(this.#options.address.endpoint)
    let response = first
    for (let hops = 0; isRedirect(response); hops++) {
      const to = headerOf(response, 'location')
      const url = to === null || !URL.canParse(to, from.href) ? null : new URL(to, from)
      const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && from.protocol === 'http:')
      if (url === null || !isSafe || hops === redirectsMax) throw await this.refusal('read', response)
      discard(response)
      response = await this.#request('read', url, { method: 'GET', headers: {}, body: null }, signal)
      from = url
    }
    return response
  }

  /** The whole body; an error where it has more than `maxBytes`. */
  async bytes(operation: S3Operation, response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
    const chunks: Buffer[] = []
    let length = 0
    try {
      // Without an encoding the chunks of a message are buffers.
      for await (const chunk of response as AsyncIterable<Buffer>) {
        length += chunk.length
        if (length > maxBytes) throw this.odd(`The archive answered with more than ${maxBytes} bytes.`)
        chunks.push(chunk)
      }
    } catch (error) {
      throw error instanceof TargetError ? error : connectionError(operation, error, this.#options.address)
    }
    return Buffer.concat(chunks, length)
  }

  /** Resolves when the store did as it was asked. */
  async accepted(operation: S3Operation, response: IncomingMessage): Promise<void> {
    if (!isSuccess(response)) throw await this.refusal(operation, response)
    // Read, not cancelled: that would end the connection.
    const bytes = await this.bytes(operation, response, errorMaxBytes)
    // Some stores label the empty body as HTML, too.
    if (bytes.length > 0 && isHtml(response)) throw this.#errorOf(operation, refusalOf(response, bytes))
  }

  /** Resolves when a 404 says that there is no such object, and not that something else answers here. */
  async absent(operation: S3Operation, response: IncomingMessage): Promise<void> {
    const refusal = await this.#refusalOf(operation, response)
    if (refusal.code !== 'NoSuchKey' && refusal.code !== 'NotFound') throw this.#errorOf(operation, refusal)
  }

  /** The error for an answer. */
  async refusal(operation: S3Operation, response: IncomingMessage): Promise<TargetError> {
    return this.#errorOf(operation, await this.#refusalOf(operation, response))
  }

  /** An answer that such a store does not give. */
  odd(message: string, hint?: string): TargetError {
    const { endpoint } = this.#options.address
    const usual = `Check that the endpoint in ARCHIVE_URL, ${endpoint}, is that of an S3-compatible store.`
    return new TargetError('odd', message, hint ?? usual)
  }

  /** Until the head of the answer; its body has the caller's limit. */
  async #request(
    operation: S3Operation,
    url: URL,
    sending: HttpSending,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { address, clock } = this.#options
    const limitMs = operationLimitMs(sending.body?.length ?? 0)
    const late = new AbortController()
    const cancel = clock.wait(limitMs, () => late.abort(tooLate(`to ${operationWords(operation)}`, limitMs)))
    const either = AbortSignal.any([signal, late.signal])
    try {
      return await this.#connections.send(url, sending, either)
    } catch (error) {
      either.throwIfAborted()
      throw connectionError(operation, error, address)
    } finally {
      cancel()
    }
  }

  async #refusalOf(operation: S3Operation, response: IncomingMessage): Promise<S3Refusal> {
    return refusalOf(response, await this.bytes(operation, response, errorMaxBytes))
  }

  #errorOf(operation: S3Operation, refusal: S3Refusal): TargetError {
    const { address, clock } = this.#options
    return refusalError(operation, refusal, address, clock.wallMs())
  }
}

function refusalOf(response: IncomingMessage, body: Uint8Array): S3Refusal {
  const text = new TextDecoder().decode(body)
  const code = elementText(text, 'Code')
  const region = headerOf(response, 'x-amz-bucket-region') ?? elementText(text, 'Region')
  return {
    status: response.statusCode ?? 0,
    code: code !== null && /^\w{1,60}$/.test(code) ? code : null,
    isHtml: (isHtml(response) && code === null) || /^\s*<(?:!doctype html|html)/i.test(text),
    region: region !== null && /^[\w-]{1,40}$/.test(region) ? region : null,
    date: dateOf(response),
  }
}

function dateOf(response: IncomingMessage): Date | null {
  const date = new Date(headerOf(response, 'date') ?? Number.NaN)
  return Number.isNaN(date.getTime()) ? null : date
}
