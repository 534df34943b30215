import { faultOf } from '../database/machine/faults.ts'
import type { Store } from '../database/store/store.ts'
import type { Copy, CopySource } from '../driver/facet/copy.ts'
import type { CopiedTable, Feed } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import { type Fault, FaultError } from '../driver/fault.ts'

/** A primary that serves, and the fallback that its rows are copied into. */
export interface CopyPair {
  readonly primary: Pick<Store, 'driver' | 'label'>
  readonly feed: Pick<Feed, 'connect'>
  readonly fallback: Pick<Store, 'driver' | 'label'>
  readonly copy: Copy
  readonly source: CopySource
}

/** A table that is to be copied. */
export interface WantedTable {
  readonly table: CopiedTable
  /** The declaration, for problems. */
  readonly setting: string
  /** It is copied whatever its size. */
  readonly isAlways: boolean
  /** Why a row does not match the declaration, as a clause without a value of the row; null: it does. */
  misfit(image: Image): string | null
}

/** A fault of the copy: it says nothing against the store that serves. */
export class CopyFault extends FaultError {
  readonly at: 'primary' | 'fallback'

  constructor(at: CopyFault['at'], fault: Fault) {
    super(fault)
    this.at = at
  }
}

/** What one side of the pair does. Rejects with a `CopyFault`. */
export async function doneBy<T>(pair: CopyPair, at: CopyFault['at'], doing: Promise<T>): Promise<T> {
  try {
    return await doing
  } catch (error) {
    throw new CopyFault(at, faultOf(pair[at].driver, error, 'statement'))
  }
}
