/** Why an object of an archive cannot be read. */
export type FormatFault =
  /** It is not what its name says, was cut short or altered. */
  | 'damaged'
  /** A newer release wrote it, in a form that this one does not know. */
  | 'newer'

/** An object of an archive that cannot be read. */
export class FormatError extends Error {
  readonly fault: FormatFault
  readonly key: string

  /** `why`: a clause, such as `is cut short`. */
  constructor(fault: FormatFault, key: string, why: string, cause?: unknown) {
    super(`The object ${key} ${why}.`, cause === undefined ? undefined : { cause })
    this.fault = fault
    this.key = key
  }
}
