/** A change of one file. */
export interface Edit {
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replacement: string
}

/** A defect put into the product, and the schedule that has to find it. */
export interface Mutant {
  readonly name: string
  readonly edits: readonly Edit[]
  /** The name of the schedule that must fail. */
  readonly caughtBy: string
}

/** Each breaks one sentence of the guarantee, on PostgreSQL. */
export const mutants: readonly Mutant[] = [
  {
    name: 'look instead of claim',
    // What shows its attempt in the row counts as done, anything else as new.
    edits: [
      {
        file: 'src/journal/batch.ts',
        find: 'batch.filter((transaction) => attemptsOf(transaction).some((attempt) => made.has(attempt)))',
        replacement: 'batch',
      },
    ],
    caughtBy: 'answer lost, deleted by another client: stays deleted',
  },
  {
    name: 'no claim in creates',
    edits: [
      {
        file: 'src/collection/table/queries.ts',
        find: 'const insert = claims ? this.#claimedInsert() : this.#insert()',
        replacement: 'const insert = this.#insert()',
      },
    ],
    caughtBy: 'late create, after it was carried and deleted',
  },
  {
    name: 'no claim in changes',
    edits: [
      {
        file: 'src/collection/row/rows.ts',
        find: "view.queries.update(changed, expected.attempt !== null, session.claims === 'with')",
        replacement: 'view.queries.update(changed, expected.attempt !== null, false)',
      },
    ],
    caughtBy: 'late change, after it was run again and overwritten',
  },
  {
    name: 'no base condition',
    edits: [
      {
        file: 'src/journal/judge.ts',
        find: '(found[attemptColumn] ?? null) === base && matchesImage(columns, old ?? {}, found)',
        replacement: 'true',
      },
      {
        file: 'plugins/postgresql/replay.ts',
        find: 'present.holdfast_attempt::text is not distinct from given.',
        replacement: 'true or null = given.',
      },
    ],
    caughtBy: 'answer lost, changed on both sides: parked',
  },
  {
    name: 'attempt compared without the image',
    edits: [
      {
        file: 'src/journal/judge.ts',
        find: '=== base && matchesImage(columns, old ?? {}, found)',
        replacement: '=== base',
      },
    ],
    caughtBy: 'answer lost, changed by SQL without an attempt: parked by its image',
  },
  {
    name: 'entry skipped',
    edits: [
      {
        file: 'src/journal/order/layers.ts',
        find: 'if (image === null) table.removals.push({ id: entry.key, base })',
        replacement: 'if (image === null) continue',
      },
    ],
    caughtBy: 'answer lost, changed and deleted here: carried in order',
  },
  {
    name: 'replayed twice',
    // A claim that exists counts as a new one.
    edits: [
      {
        file: 'plugins/postgresql/replay.ts',
        find: 'return new Set(attempts.filter((attempt) => made.has(attempt.toLowerCase())))',
        replacement: 'return new Set(made.size < 0 ? [] : attempts)',
      },
    ],
    caughtBy: 'file copied, both replicas carry it',
  },
  {
    name: 'conflict kept locally',
    edits: [
      {
        file: 'src/journal/conflict/conflict-rows.ts',
        find: 'parked.flatMap((one) => one.parked.map((entry) => rowOf(one.transaction, entry, source)))',
        replacement:
          'parked.slice(0, 0).flatMap((one) => one.parked.map((entry) => rowOf(one.transaction, entry, source)))',
      },
    ],
    caughtBy: 'conflict parked, then the data directory is deleted',
  },
  {
    name: 'partial park',
    edits: [
      {
        file: 'src/journal/judge.ts',
        find: 'if (judged.reasons.every((reason) => reason === null)) {',
        replacement: 'if (judged.reasons.some((reason) => reason === null)) {',
      },
      {
        file: 'src/journal/judge.ts',
        find: "return { is: 'applied', transaction, writes: judged.writes, settled: judged.settled }",
        replacement:
          "return { is: 'applied', transaction, writes: judged.writes.filter((_, at) => judged.reasons[at] === null), settled: [] }",
      },
    ],
    caughtBy: 'transaction with one row that another client changed: parked whole',
  },
  {
    name: 'stale trigger',
    edits: [
      {
        file: 'plugins/sqlite/journal/triggers.ts',
        find: '[String(name), String(sql)]',
        replacement: '[String(name), wanted.find((one) => one.name === name)?.sql ?? String(sql)]',
      },
    ],
    caughtBy: 'field added in an outage',
  },
  {
    name: 'owing fallback takes over',
    edits: [
      {
        file: 'src/database/machine/transition.ts',
        find: "return next.standby.status === 'open' ? carryBeside(next) : next",
        replacement:
          "return next.standby.status === 'open' ? toFallback(next, event, policy, { kind: 'lost', code: 'OWES', summary: '', hint: '', ambiguous: false, cause: null }, 0) : next",
      },
    ],
    caughtBy: 'fallback opens late and owes',
  },
  {
    name: '404 while incomplete',
    edits: [
      {
        file: 'src/collection/row/precondition.ts',
        find: ".isDeleted === true ? { is: 'missing' } : { is: 'unknown' }",
        replacement: ".isDeleted === true ? { is: 'missing' } : { is: 'missing' }",
      },
    ],
    caughtBy: 'honest while incomplete',
  },
  {
    name: 'one attempt for two transactions',
    edits: [
      {
        file: 'src/database/store/transaction-attempts.ts',
        find: 'pending.delete(em)',
        replacement: 'pending.set(em, attempt)',
      },
    ],
    caughtBy: 'handler that flushes twice, the first carried before the second',
  },
  {
    name: 'local file taken as fallback',
    edits: [
      {
        file: 'plugins/sqlite/proof/choice.ts',
        find: 'const isBeside = state.life !== life &&',
        replacement: 'const isBeside = state.life === null &&',
      },
      {
        file: 'plugins/sqlite/journal/tables.ts',
        find: 'if (found.life === wished) return',
        replacement: 'if (found.life !== null || wished !== null) return',
      },
    ],
    caughtBy: 'address set for the first time, unset, set',
  },
  {
    name: 'copy laid over a journaled row',
    edits: [
      {
        file: 'plugins/sqlite/copy/pass.ts',
        find: `if (waiting.has(key)) {
      this.#wait(key, counts)
      return false`,
        replacement: `if (waiting.has('')) {
      this.#wait(key, counts)
      return false`,
      },
    ],
    caughtBy: 'copy of another primary over rows that wait',
  },
  {
    name: 'unmarked row removed',
    edits: [
      {
        file: 'plugins/sqlite/copy/leaving.ts',
        find: ') and not ',
        replacement: ') or 1 = 1 or ',
      },
    ],
    caughtBy: 'copy of another primary over rows that wait',
  },
  {
    name: 'copies journaled',
    edits: [
      { file: 'plugins/sqlite/journal/author.ts', find: '(this.#isSilent ? null : 1)', replacement: '1' },
      {
        file: 'plugins/sqlite/journal/author.ts',
        find: 'if (this.#isSilent) return null',
        replacement: 'if (this.#isSilent) return drawId() + drawId()',
      },
    ],
    caughtBy: 'rows that are copied are not journaled',
  },
  {
    name: 'complete too early',
    edits: [
      {
        file: 'src/copy/whole-copy.ts',
        find: '!state.isSwept || !state.isVerified || state.asOfMs === null || state.polled === null',
        replacement: '!state.isVerified',
      },
      {
        file: 'src/copy/whole-copy.ts',
        find: 'const polledMs = idTimeMs(state.polled) ?? 0',
        replacement: "const polledMs = idTimeMs(state.polled ?? '') ?? Date.now()",
      },
      {
        file: 'src/copy/whole-copy.ts',
        find: 'const asOfMs = Math.min(state.asOfMs, polledMs)',
        replacement: 'const asOfMs = Math.min(state.asOfMs ?? Date.now(), polledMs)',
      },
    ],
    caughtBy: 'outage in the middle of the first copy',
  },
  {
    name: 'deletes not seen',
    edits: [
      {
        file: 'src/copy/looks.ts',
        find: 'removed: [...ours.keys()].filter((key) => !theirs.has(key)) }',
        replacement: 'removed: [] }',
      },
    ],
    caughtBy: 'row deleted by another client before an outage',
  },
  {
    name: 'write-through before COMMIT',
    edits: [
      {
        file: 'src/collection/row/rows.ts',
        find: 'const inserting = this.#insert(',
        replacement: "this.#copies.wrote(session, table, id, row, 'early')\n        const inserting = this.#insert(",
      },
    ],
    caughtBy: 'create that the primary refused, then an outage',
  },
  {
    name: "an old identity's rows shown",
    edits: [
      {
        file: 'src/copy/whole-copy.ts',
        find: ' || source.target !== target || source.identity !== journal.identity',
        replacement: '',
      },
    ],
    caughtBy: 'file with the copy of another primary',
  },
]
