import type { Entry, Journal, JournalCounts, JournalPortion, RowHistory } from '../../src/driver/facet/journal.ts'
import type { KeptStanding } from '../../src/driver/facet/standing.ts'

const noHistory: RowHistory = { isWaiting: false, isDeleted: false, replaced: new Set() }

/** A journal that knows what a test says, and records what it is told. */
export class ScriptedJournal implements Journal {
  readonly fileId: string = 'file'
  identity: string | null = null
  readonly attempts: string[] = []
  /** By the row's id. */
  readonly histories: Map<string, Partial<RowHistory>> = new Map()
  readonly waitingTables: Set<string> = new Set()
  entries = 0
  /** What waits, in order. */
  kept: readonly Entry[] = []
  label: string | null = null
  keptStanding: KeptStanding | null = null
  /** What `synced` waits for. */
  onSync: () => Promise<void> = async () => {}

  begun(attempt: string): void {
    this.attempts.push(attempt)
  }

  counts(): JournalCounts {
    return { transactions: this.entries, entries: this.entries, bytes: 0, elsewhere: 0, oldestMs: null }
  }

  history(_table: string, key: string): RowHistory {
    return { ...noHistory, ...this.histories.get(key) }
  }

  mayWait(table: string): boolean {
    return this.waitingTables.has(table)
  }

  async address(): Promise<void> {}
  async triggerChanges(): Promise<readonly string[]> {
    return []
  }
  serve(): void {}
  async rest(): Promise<void> {}
  setLimit(): void {}
  async waiting(): Promise<readonly []> {
    return []
  }
  lastSequence(): number {
    return this.kept.at(-1)?.sequence ?? 0
  }
  firstWaiting(): number | null {
    return this.kept[0]?.sequence ?? null
  }
  async synced(after: number, maxBytes: number): Promise<JournalPortion | null> {
    await this.onSync()
    const entries: Entry[] = []
    for (const entry of this.kept) {
      const isEnough = entries.length > 0 && JSON.stringify(entries).length >= maxBytes
      if (isEnough && entries.at(-1)?.transaction !== entry.transaction) break
      if (entry.sequence > after) entries.push(entry)
    }
    return entries.length === 0 ? null : { identity: this.identity, label: this.label, entries }
  }
  async carried(): Promise<void> {}
  lastCarried(): null {
    return null
  }
  async carryAgain(): Promise<number> {
    return 0
  }
  standing(): KeptStanding | null {
    return this.keptStanding
  }
  async keepStanding(standing: KeptStanding): Promise<void> {
    this.keptStanding = standing
  }
  async removeCarried(): Promise<void> {}
  async prune(): Promise<void> {}
  elsewhere(): readonly [] {
    return []
  }
}
