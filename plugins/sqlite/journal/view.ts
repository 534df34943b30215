import type { Entry, JournalCounts, JournalView } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import type { Handle } from '../handle.ts'
import { elsewhereIn, JournalReader } from './reader.ts'
import { readLife } from './tables.ts'

/** The journal of a file that another process may write to. Reads alone. */
export class FileJournalView implements JournalView {
  readonly fileId: string
  readonly #reader: JournalReader
  readonly #limitMs: number

  private constructor(fileId: string, reader: JournalReader, limitMs: number) {
    this.fileId = fileId
    this.#reader = reader
    this.#limitMs = limitMs
  }

  /** Null: the file has no journal. @throws what the client throws. */
  static of(hot: Handle, limitMs: number): FileJournalView | null {
    const life = readLife(hot.native)
    return life?.life === 'fallback' ? new FileJournalView(life.id, new JournalReader(hot), limitMs) : null
  }

  get identity(): string | null {
    return this.#reader.address.identity
  }

  counts(): JournalCounts {
    return this.#reader.counts()
  }

  async waiting(after: number, limit: number): Promise<readonly Entry[]> {
    return await whileBusy(() => this.#reader.waiting(after, limit), this.#limitMs)
  }

  elsewhere(): ReturnType<JournalView['elsewhere']> {
    return elsewhereIn(this.#reader)
  }
}
