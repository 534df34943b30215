import type { ArchiveTarget, ListedObject, PutOutcome } from '../../src/archive/target/target.ts'
import { TargetError } from '../../src/archive/target/target.ts'

/** One request to a target, for tests that count or interrupt them. */
export interface TargetRequest {
  readonly method: 'putNew' | 'put' | 'get' | 'list' | 'remove'
  readonly key: string
}

/** What is never answered is not forgotten either: what waits for it keeps its files open. */
const unanswered = new Set<unknown>()

/** A target in memory that can be told to fail. */
export class MemoryTarget implements ArchiveTarget {
  readonly label = 'memory://archive'
  readonly objects: Map<string, Uint8Array>
  readonly requests: TargetRequest[] = []
  /** Objects of a page of a listing. */
  pageSize = 1_000
  /** False: it stores over what is there, and says that it is stored. */
  isHonouring = true
  isFencing: boolean | null = null
  /** Called before each request; what it throws is the answer. */
  before: (request: TargetRequest) => void | Promise<void> = () => {}
  /** Called after each request was carried out; what it throws is the answer, so that the answer is lost. */
  after: (request: TargetRequest) => void | Promise<void> = () => {}

  /** The process that asks was killed: nothing is answered. */
  isDead: () => boolean = () => false

  /** Targets of several processes may share their objects. */
  constructor(objects: Map<string, Uint8Array> = new Map()) {
    this.objects = objects
  }

  /** Every request fails until `isAway` is false again. */
  set isAway(isAway: boolean) {
    this.before = isAway
      ? () => {
          throw new TargetError('unreachable', 'The target does not answer.', 'Wait.')
        }
      : () => {}
  }

  putNew(key: string, body: Uint8Array, signal?: AbortSignal): Promise<PutOutcome> {
    return this.#run({ method: 'putNew', key }, signal, () => {
      if (this.isHonouring && this.objects.has(key)) return 'exists' as const
      this.objects.set(key, Buffer.from(body))
      return 'stored' as const
    })
  }

  put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#run({ method: 'put', key }, signal, () => void this.objects.set(key, Buffer.from(body)))
  }

  get(key: string, signal?: AbortSignal): Promise<Uint8Array | null> {
    return this.#run({ method: 'get', key }, signal, () => this.objects.get(key) ?? null)
  }

  async *list(prefix: string, after = '', signal?: AbortSignal): AsyncIterable<readonly ListedObject[]> {
    let from = after
    for (;;) {
      const page = await this.#run({ method: 'list', key: prefix }, signal, () => this.#page(prefix, from))
      if (page.length > 0) yield page
      const last = page.at(-1)
      if (last === undefined || page.length < this.pageSize) return
      from = last.key
    }
  }

  remove(key: string, signal?: AbortSignal): Promise<void> {
    return this.#run({ method: 'remove', key }, signal, () => void this.objects.delete(key))
  }

  /** The keys that begin so, in order. */
  keys(prefix = ''): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  #page(prefix: string, after: string): readonly ListedObject[] {
    return this.keys(prefix)
      .filter((key) => key > after)
      .slice(0, this.pageSize)
      .map((key) => ({ key, bytes: this.objects.get(key)?.byteLength ?? 0 }))
  }

  async #run<T>(request: TargetRequest, signal: AbortSignal | undefined, act: () => T): Promise<T> {
    signal?.throwIfAborted()
    if (this.isDead()) await new Promise((resolve) => unanswered.add(resolve))
    this.requests.push(request)
    await this.before(request)
    if (this.isDead()) await new Promise((resolve) => unanswered.add(resolve))
    const answer = act()
    await this.after(request)
    if (this.isDead()) await new Promise((resolve) => unanswered.add(resolve))
    return answer
  }
}
