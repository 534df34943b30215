/** A defect put into the product, and the schedule that has to find it. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replacement: string
  /** The name of the schedule that must fail. */
  readonly caughtBy: string
}

/** Each breaks one sentence of the guarantee. */
export const mutants: readonly Mutant[] = []
