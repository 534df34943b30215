import { attempted, operationLimitMs } from './attempts.ts'
import { discard, isHtml, isRedirect, isSuccess } from './http.ts'
import { S3Client, type S3Options } from './s3-client.ts'
import { operationWords, type S3Operation } from './s3-fault.ts'
import { readListing, type S3Page } from './s3-listing.ts'
import {
  type ArchiveTarget,
  fenceKey,
  type ListedObject,
  objectMaxBytes,
  type PutOutcome,
  TargetError,
} from './target.ts'
import { labelOfPlace } from './url.ts'

const fenceBody = new TextEncoder().encode('Holdfast stores this to see whether the bucket honours "If-None-Match".\n')
const listingMaxBytes = 4_194_304

/** An S3-compatible store: path style, put if absent by `If-None-Match`, objects of one part. */
export class S3Target implements ArchiveTarget {
  readonly label: string
  readonly #options: S3Options
  readonly #client: S3Client
  #isFencing: boolean | null = null

  constructor(options: S3Options) {
    this.label = labelOfPlace({ kind: 's3', address: options.address })
    this.#options = options
    this.#client = new S3Client(options)
  }

  get isFencing(): boolean | null {
    return this.#isFencing
  }

  get clockAheadMs(): number | null {
    return this.#client.clockAheadMs
  }

  async putNew(key: string, body: Uint8Array, signal?: AbortSignal): Promise<PutOutcome> {
    return await this.#attempt('store', body.length, signal, async (limited) => {
      this.#isFencing ??= await this.#learnFencing(limited)
      if (this.#isFencing) return await this.#putIfAbsent(key, body, limited)
      await this.#put(key, body, {}, limited)
      return 'stored'
    })
  }

  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#attempt('store', body.length, signal, async (limited) => {
      await this.#put(key, body, {}, limited)
    })
  }

  async get(key: string, signal?: AbortSignal): Promise<Uint8Array | null> {
    try {
      return await this.#get(key, signal)
    } catch (error) {
      const isOdd = error instanceof TargetError && error.kind === 'odd'
      if (isOdd && (await this.#isNoObject(key, signal).catch(() => false))) return new Uint8Array()
      throw error
    }
  }

  /** Whether the store itself, not what is between, has something under this key that Holdfast never stores. */
  async #isNoObject(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    for await (const page of this.list(key, undefined, signal)) {
      const found = page.find((one) => one.key === key)
      if (found !== undefined) return found.bytes === 0 || found.bytes > objectMaxBytes
    }
    return false
  }

  async #get(key: string, signal: AbortSignal | undefined): Promise<Uint8Array | null> {
    return await this.#attempt('read', objectMaxBytes, signal, async (limited) => {
      const client = this.#client
      const first = await client.send({ method: 'GET', operation: 'read', path: this.#path(key) }, limited)
      if (first.statusCode === 404) {
        await client.absent('read', first)
        return null
      }
      const response = isRedirect(first) ? await client.follow(first, limited) : first
      if (response.statusCode !== 200 || isHtml(response)) throw await client.refusal('read', response)
      const bytes = await client.bytes('read', response, objectMaxBytes)
      // A client that stops at a redirect would see this, too.
      if (bytes.length === 0) throw client.odd('The archive answered with an empty object, and Holdfast stores none.')
      return bytes
    })
  }

  async *list(prefix: string, after?: string, signal?: AbortSignal): AsyncGenerator<readonly ListedObject[]> {
    const root = this.#path('')
    const start = after === undefined ? '' : `${root}${after}`
    let last = ''
    for (let token: string | null = ''; token !== null; ) {
      const from = token === '' ? { 'start-after': last || start } : { 'continuation-token': token }
      const query = { 'list-type': '2', prefix: `${root}${prefix}`, ...(token || last || start ? from : {}) }
      const page: S3Page = await this.#attempt('list', 0, signal, (limited) => this.#listPage(query, limited))
      const keys = page.objects.map(({ key }) => key)
      const isInOrder = keys.every((key, at) => key > (keys[at - 1] ?? last) && key.startsWith(query.prefix))
      if (!isInOrder || (page.next !== null && keys.length === 0)) {
        throw this.#client.odd('The archive does not list its objects by name.')
      }
      // A store may not know `start-after`.
      const found = page.objects.filter(({ key }) => key > start)
      if (found.length > 0) yield found.map(({ key, bytes }) => ({ key: key.slice(root.length), bytes }))
      token = page.next
      last = keys.at(-1) ?? last
    }
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    await this.#attempt('remove', 0, signal, async (limited) => {
      const sending = { method: 'DELETE', operation: 'remove', path: this.#path(key) } as const
      const response = await this.#client.send(sending, limited)
      if (response.statusCode === 404) await this.#client.absent('remove', response)
      else await this.#client.accepted('remove', response)
    })
  }

  #attempt<T>(
    operation: S3Operation,
    bytes: number,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const what = `to ${operationWords(operation)}`
    return attempted(this.#options, { what, limitMs: operationLimitMs(bytes), run }, signal)
  }

  #path(key: string): string {
    const { prefix } = this.#options.address
    return prefix === '' ? key : `${prefix}/${key}`
  }

  /** A store that honours the condition refuses the second of two equal puts. */
  async #learnFencing(signal: AbortSignal): Promise<boolean> {
    const first = await this.#tryIfAbsent(fenceKey, fenceBody, signal)
    if (first !== 'stored') return first === 'exists'
    return (await this.#tryIfAbsent(fenceKey, fenceBody, signal)) === 'exists'
  }

  async #putIfAbsent(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome> {
    const outcome = await this.#tryIfAbsent(key, body, signal)
    const hint = 'Check what is between this machine and the store.'
    if (outcome === 'unsupported') throw this.#client.odd('The archive no longer accepts "If-None-Match".', hint)
    // What a proxy answers must not look like another process.
    if (outcome === 'exists' && !(await this.#isThere(key, signal))) {
      throw this.#client.odd('The archive refused a new object as if it existed (HTTP 412).', hint)
    }
    return outcome
  }

  async #tryIfAbsent(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome | 'unsupported'> {
    const status = await this.#put(key, body, { 'if-none-match': '*' }, signal)
    return status === 412 ? 'exists' : status === 501 ? 'unsupported' : 'stored'
  }

  /** The status: one of success, or the two with which a condition is refused. */
  async #put(
    key: string,
    body: Uint8Array,
    condition: { readonly 'if-none-match'?: '*' },
    signal: AbortSignal,
  ): Promise<number> {
    const headers = { 'content-type': 'application/octet-stream', ...condition }
    const sending = { method: 'PUT', operation: 'store', path: this.#path(key), body, headers } as const
    const response = await this.#client.send(sending, signal)
    const status = response.statusCode ?? 0
    const isRefusedCondition = status === 412 || status === 501
    if (isRefusedCondition && condition['if-none-match'] !== undefined) discard(response)
    else await this.#client.accepted('store', response)
    return status
  }

  /** Whether an object is there; it is not read. */
  async #isThere(key: string, signal: AbortSignal): Promise<boolean> {
    const sending = { method: 'GET', operation: 'read', path: this.#path(key) } as const
    const response = await this.#client.send(sending, signal)
    if (response.statusCode === 404) {
      await this.#client.absent('read', response)
      return false
    }
    if (!isRedirect(response) && (!isSuccess(response) || isHtml(response)))
      throw await this.#client.refusal('read', response)
    discard(response)
    return true
  }

  async #listPage(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<S3Page> {
    const response = await this.#client.send({ method: 'GET', operation: 'list', path: '', query }, signal)
    if (!isSuccess(response)) throw await this.#client.refusal('list', response)
    const bytes = await this.#client.bytes('list', response, listingMaxBytes)
    const page = readListing(new TextDecoder().decode(bytes))
    if (page === null) throw this.#client.odd('The archive answered a listing with something else.')
    return page
  }
}
