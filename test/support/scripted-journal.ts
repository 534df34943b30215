import type { Journal, JournalCounts, RowHistory } from '../../src/driver/facet/journal.ts'

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
  async carried(): Promise<void> {}
  lastCarried(): null {
    return null
  }
  async carryAgain(): Promise<number> {
    return 0
  }
  async removeCarried(): Promise<void> {}
  async prune(): Promise<void> {}
  elsewhere(): readonly [] {
    return []
  }
}
