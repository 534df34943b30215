/** The two databases behind a service. */
export type Side = 'primary' | 'fallback' | 'local'

/** What a client knows of a write when it ends. */
export type Ending = 'pending' | 'acknowledged' | 'refused' | 'unknown'

/** One write of one client, and what it was told. */
export interface WriteRecord {
  /** In every row that it writes, and in no other write. */
  readonly token: string
  readonly client: string
  readonly operation: 'create' | 'change' | 'remove' | 'transaction'
  /** How many rows it writes. */
  readonly rows: number
  /** Rows that it concerns, as far as they are known: of creates only after an answer. */
  ids: readonly string[]
  /** The attempt that the row has to name before (If-Match); null: any. */
  readonly base: string | null
  /** The attempt that the client saw in the row last, where nobody else writes it in the same database; null: unknown. */
  readonly seen: string | null
  /** The attempt that the ETag of the answer names, or the answer of the application. */
  attempt: string | null
  ending: Ending
  side: Side | null
  durability: string | null
  /** How far the archive was behind, as the answer said, in seconds; null: it said nothing. */
  lagS: number | null
  /** The status of the answer, and its code. */
  said: string
  readonly beganMs: number
  endedMs: number | null
}

/** What a client was shown by a fallback that said how old its copy is at most. */
export interface CopyReading {
  /** The process that answered. */
  readonly client: string
  /** `Holdfast-As-Of`, in milliseconds since 1970. */
  readonly asOfMs: number
  readonly sentMs: number
  readonly receivedMs: number
  /** `attempt` null: the answer did not name it. */
  readonly rows: readonly { readonly id: string; readonly token: string; readonly attempt: string | null }[]
  /** What it says is not there: this row; all other rows above that one (null: all others); null: it says nothing. */
  readonly without: { readonly id: string } | { readonly above: string | null } | null
}

/** Of more lists than these only every tenth is kept: they would fill the memory. */
const listsMax = 2_000

/** Refusals that say that nothing was written. */
const nothingWritten: ReadonlySet<string> = new Set([
  'STORE_LOST',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'STORE_READ_ONLY',
  'OVERLOADED',
  'DURABILITY_UNMET',
  'DISK_FULL',
  'INCOMPLETE',
  'REPLAYING',
  'JOURNAL_FULL',
  'CLOSING',
  'COLLECTION_UNAVAILABLE',
  'QUERY_TIMEOUT',
  'RESTORING',
  'ARCHIVE_REQUIRED',
])

/** What an answer says of a write. */
export function endingOf(status: number, code: string | null): Ending {
  if (status < 300) return 'acknowledged'
  return status < 500 || nothingWritten.has(code ?? '') ? 'refused' : 'unknown'
}

/** Every write of every client, and what readers saw that nobody may see. */
export class History {
  readonly writes: WriteRecord[] = []
  /** Sentences on answers that contradict each other. */
  readonly contradictions: string[] = []
  /** Processes whose disk was emptied: what said no more than `journal-ephemeral` may be lost with it. */
  readonly emptied: Set<string> = new Set()
  /** Answers from whole copies. */
  readonly readings: CopyReading[] = []
  #tokens = 0
  #lists = 0

  /** A write that is about to be sent. */
  begin(
    write: Pick<WriteRecord, 'client' | 'operation'> &
      Partial<Pick<WriteRecord, 'rows' | 'ids' | 'base' | 'seen' | 'token'>>,
  ): WriteRecord {
    this.#tokens += 1
    const record: WriteRecord = {
      ...{ token: `t${this.#tokens}-${write.client}`, rows: 1, ids: [], base: null, seen: null, ...write },
      ...{
        attempt: null,
        ending: 'pending',
        side: null,
        durability: null,
        lagS: null,
        said: '',
        beganMs: Date.now(),
        endedMs: null,
      },
    }
    this.writes.push(record)
    return record
  }

  contradict(what: string): void {
    this.contradictions.push(what)
  }

  read(reading: CopyReading): void {
    const isList = reading.without !== null && 'above' in reading.without
    if (isList) this.#lists += 1
    if (!isList || this.#lists <= listsMax || this.#lists % 10 === 0) this.readings.push(reading)
  }
}
