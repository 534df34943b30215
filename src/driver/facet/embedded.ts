/** Facet: the database runs in this process, on files of this machine. */
export interface Embedded<T> {
  /** Absolute paths of the files that `connect` would try, in that order. Pure. */
  files(target: T): readonly string[]
}
