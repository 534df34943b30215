import {
  type ArchiveTarget,
  type ListedObject,
  type PutOutcome,
  TargetError,
} from '../../../src/archive/target/target.ts'
import type { Entry } from '../../../src/driver/facet/journal.ts'

/** A target in memory. Each call is in `calls`, as a word and a key. */
export class MemoryTarget implements ArchiveTarget {
  readonly label = 'memory'
  isFencing: boolean | null = true
  readonly objects: Map<string, Uint8Array> = new Map()
  readonly calls: string[] = []
  /** Called before a call is carried out. */
  before: (call: string) => Promise<void> | void = () => {}

  get keys(): readonly string[] {
    return [...this.objects.keys()].sort()
  }

  async putNew(key: string, body: Uint8Array): Promise<PutOutcome> {
    await this.#call(`putNew ${key}`)
    if (this.objects.has(key)) return 'exists'
    this.objects.set(key, body)
    return 'stored'
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#call(`put ${key}`)
    this.objects.set(key, body)
  }

  async get(key: string): Promise<Uint8Array | null> {
    await this.#call(`get ${key}`)
    return this.objects.get(key) ?? null
  }

  async *list(prefix: string, after = ''): AsyncGenerator<readonly ListedObject[]> {
    await this.#call(`list ${prefix}`)
    const keys = this.keys.filter((key) => key.startsWith(prefix) && key > after)
    for (let at = 0; at < keys.length; at += 2) {
      yield keys.slice(at, at + 2).map((key) => ({ key, bytes: this.objects.get(key)?.byteLength ?? 0 }))
    }
  }

  async remove(key: string): Promise<void> {
    await this.#call(`remove ${key}`)
    this.objects.delete(key)
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}

/** What an archive that cannot be reached answers. */
export function unreachable(): TargetError {
  return new TargetError('unreachable', 'The archive does not answer.', 'Check the network.')
}

/** An entry of a transaction of its own, unless that is given. */
export function entryOf(sequence: number, more: Partial<Entry> = {}): Entry {
  const id = `0190a1b2-0000-7000-8000-${String(sequence).padStart(12, '0')}`
  return {
    ...{ sequence, transaction: id, attempt: id, table: 'plain', key: `row-${sequence}`, operation: 'insert' },
    ...{ base: null, old: null, new: { id: `row-${sequence}`, word: 'w', holdfast_attempt: id } },
    ...more,
  }
}
