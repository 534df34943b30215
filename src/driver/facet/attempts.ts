/**
 * Facet of a primary: claims of attempts. A claim is a row in `holdfast_attempt`; it commits with the transaction that makes
 * it. A claim that exists already means that the attempt has committed; a new one, that it never will elsewhere. A claim
 * waits for an open transaction that makes the same one.
 */
export interface Attempts {
  /**
   * Where a write of the data API claims. `with`: the core compiles the claim into the statement (PostgreSQL's WITH that
   * changes data). `driver`: `Statements.write` does it where `claims` is set.
   */
  readonly claiming: 'with' | 'driver'
  /** Claims; joins the open transaction. False: the claim exists. Rejects with what `classify` reads. */
  claim(attempt: string): Promise<boolean>
  /** Deletes claims that are never asked for again. Rejects with what `classify` reads. */
  forget(attempts: readonly string[]): Promise<void>
}

/** The code of the fault, of kind `constraint`, of a write whose claim exists: the attempt has committed before. */
export const claimKnownCode = 'CLAIM_KNOWN'
