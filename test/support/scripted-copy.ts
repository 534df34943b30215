import type { CopySink } from '../../src/copy/copy-sink.ts'
import type { Store } from '../../src/database/store/store.ts'
import type { Copy, CopyOutcome, CopySource, CopyState } from '../../src/driver/facet/copy.ts'
import type { RowDigest } from '../../src/driver/facet/feed.ts'
import type { Image } from '../../src/driver/facet/image.ts'

/** The state of a copy that is whole. `polled`: an id of the time of the last poll. `columns`: those that are copied. */
export function wholeState(asOfMs: number, polled: string, columns: readonly string[]): CopyState {
  return { isSwept: true, isVerified: true, columns, after: null, asOfMs, polled, rows: 0, bytes: 0 }
}

const nothing: CopyOutcome = { written: 0, removed: 0, waiting: 0, refused: [] }

/** A copy that knows what a test says, and records what it is asked for. */
export class ScriptedCopy implements Copy {
  from: CopySource | null = { identity: 'identity', target: 'primary-db' }
  states: ReadonlyMap<string, CopyState> = new Map()
  /** The condition on rows that were written here. */
  own = '1'
  /** What `giveWay` was asked for, and what it does. */
  readonly asked: Image[] = []
  onGiveWay: () => Promise<boolean> = async () => false

  source(): CopySource | null {
    return this.from
  }

  state(table: string): CopyState | null {
    return this.states.get(table) ?? null
  }

  ownRows(): string {
    return this.own
  }

  async giveWay(_table: string, image: Image): Promise<boolean> {
    this.asked.push(image)
    return await this.onGiveWay()
  }

  async begin(): Promise<void> {}
  async reset(): Promise<void> {}
  position(): bigint | null {
    return null
  }
  async keepPosition(): Promise<void> {}
  async settle(): Promise<void> {}
  digest(): RowDigest {
    return { count: 0, high: 0, low: 0 }
  }
  versions(): ReadonlyMap<string, string> {
    return new Map()
  }
  unverified(): readonly string[] {
    return []
  }
  async apply(): Promise<CopyOutcome> {
    return nothing
  }
  applyNow(): CopyOutcome {
    return nothing
  }
  hasRoom(): boolean {
    return true
  }
}

/** What was written through: an image, or that the row was removed. */
export interface Through {
  readonly id: string
  readonly image: Image | null
  readonly version: string | null
}

/** A sink that keeps what it gets. */
export class RecordingSink implements CopySink {
  readonly got: Through[] = []
  copied: boolean

  constructor(copied = true) {
    this.copied = copied
  }

  isCopied(_primary: Store, _table: string): boolean {
    return this.copied
  }

  wrote(_primary: Store, _table: string, id: string, image: () => Image, version: string | null): void {
    this.got.push({ id, image: image(), version })
  }

  removed(_primary: Store, _table: string, id: string): void {
    this.got.push({ id, image: null, version: null })
  }

  /** What came since the last call. */
  take(): readonly Through[] {
    return this.got.splice(0)
  }
}
