import type { Problem } from '../config/problem.ts'
import type { ParkReason } from './park-reason.ts'
import type { BackReason } from './past/standing-change.ts'

/** What the journal's modules report. Labels hold no secret, and no observation has a value of a row. */
export type JournalObservation =
  /** What the primary has committed; while a journal is being carried, and at its end. */
  | {
      readonly type: 'journal.carried'
      /** The primary's. */
      readonly label: string
      /** Local transactions, without those that are parked or had been carried before. */
      readonly transactions: number
      readonly parked: number
      /** Changed rows whose conflicts the policies of their collections have settled. */
      readonly settled: number
      readonly entries: number
      /** Since the last of these, or since the carrying began. */
      readonly tookMs: number
      /** Local transactions that still wait. */
      readonly left: number
    }
  /** A local transaction that was kept aside in the primary. */
  | {
      readonly type: 'journal.parked'
      readonly label: string
      readonly attempt: string
      readonly collection: string
      readonly row: string
      /** Of the first entry that is a reason of its own. */
      readonly reason: ParkReason
      readonly entries: number
    }
  /** The primary has an older state than before, or lacks what was carried to it; that many entries wait again. */
  | {
      readonly type: 'journal.went-back'
      readonly label: string
      readonly entries: number
      readonly problem: Problem
    }
  /** The primary has an older state than before, or lacks writes that it had acknowledged. */
  | {
      readonly type: 'primary.went-back'
      readonly label: string
      /** What shows it in what the server says of itself; null: nothing does. */
      readonly reason: BackReason | null
      /** How many acknowledged writes are known to be missing, by collection. */
      readonly counts: ReadonlyMap<string, number>
      /** The first of them, as collection and id. */
      readonly rows: readonly string[]
      readonly problem: Problem
    }
  /** The journal has entries for another primary. */
  | { readonly type: 'journal.elsewhere'; readonly label: string; readonly problem: Problem }
  /** How many parked transactions of the primary are open; after it was opened, and when that changed here. */
  | { readonly type: 'conflicts.counted'; readonly label: string; readonly open: number }
