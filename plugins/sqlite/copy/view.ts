import type { CopySource, CopyState, CopyView } from '../../../src/driver/kit/driver-kit.ts'
import type { Handle } from '../handle.ts'
import { CopyReader } from './reader.ts'
import { hasCopy } from './tables.ts'

/** The copy in a file that another process may write to. Reads alone. */
export class FileCopyView implements CopyView {
  readonly #reader: CopyReader

  private constructor(reader: CopyReader) {
    this.#reader = reader
  }

  /** Null: nothing was ever copied into the file. @throws what the client throws. */
  static of({ native }: Handle): FileCopyView | null {
    if (!hasCopy(native)) return null
    const reader = new CopyReader(native)
    return reader.source() === null ? null : new FileCopyView(reader)
  }

  source(): CopySource | null {
    return this.#reader.source()
  }

  state(table: string): CopyState | null {
    const record = this.#reader.records().find(({ name }) => name === table)
    return record === undefined || record.isLeaving ? null : this.#reader.stateOf(record)
  }
}
