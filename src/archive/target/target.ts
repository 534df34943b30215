/** What went wrong at a target, as far as it decides what to do about it. */
export type TargetFaultKind =
  /** The credentials, or their rights. */
  | 'auth'
  /** No such bucket or folder. */
  | 'missing'
  /** Not reached, cut off, or too slow. */
  | 'unreachable'
  /** It asks to be asked less, or has a fault of its own. */
  | 'busy'
  /** No room. */
  | 'full'
  /** The clocks differ too much for signed requests. */
  | 'clock'
  /** An answer that no such store gives: HTML of a proxy, a short object. */
  | 'odd'

/** A failed operation at a target. No secret in it. */
export class TargetError extends Error {
  readonly kind: TargetFaultKind
  /** What to do about it, as a sentence. */
  readonly hint: string

  constructor(kind: TargetFaultKind, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.hint = hint
  }
}

/** What `putNew` tries a target with: always the same bytes, so it harms nothing. Not part of any archive. */
export const fenceKey = 'fence.txt'

/** The longest object: those of an archive have 8 MiB and a head. */
export const objectMaxBytes = 16_777_216

/** An object in a listing. */
export interface ListedObject {
  readonly key: string
  readonly bytes: number
}

/** What became of a put. */
export type PutOutcome = 'stored' | 'exists'

/**
 * Where an archive is kept: objects by key. Keys are words of lower-case letters, digits, `-`, `.` and `_`, parted by `/`; no
 * `+`. Each call has a time limit of its own, and is tried again where that may help; it rejects with a `TargetError`, or with
 * the signal's reason. Objects are whole or not there.
 */
export interface ArchiveTarget {
  /** For people and logs; no secret: `s3://bucket/prefix`. */
  readonly label: string
  /**
   * True: `putNew` is honoured, so that a name is a fence. False: known not to be (a FUSE or network folder, a file system
   * without links, a store that ignores the condition). Null: not known before the first `putNew`, which finds out by storing
   * `fenceKey`; known when that resolves.
   */
  readonly isFencing: boolean | null
  /** How far the clock of this machine is ahead of the target's, as its last answer showed; null or left out: not known. */
  readonly clockAheadMs?: number | null
  /**
   * Stores an object under a name that is not taken. `exists`: it is taken, by whatever; also by this call, where the answer to
   * its first try was lost. A target that does not fence stores in any case, in place of what is there.
   */
  putNew(key: string, body: Uint8Array, signal?: AbortSignal): Promise<PutOutcome>
  /** Stores an object, in place of the one that is there. */
  put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void>
  /**
   * Null: it is not there. An empty or short answer for an object that is not is an error. One that is empty or too long where it is
   * stored gives no bytes, so that its reader finds it damaged, and goes on without it.
   */
  get(key: string, signal?: AbortSignal): Promise<Uint8Array | null>
  /** Every object whose key begins so, in the order of keys, page by page; behind `after` where given. */
  list(prefix: string, after?: string, signal?: AbortSignal): AsyncIterable<readonly ListedObject[]>
  /** Removes an object; one that is not there is removed already. */
  remove(key: string, signal?: AbortSignal): Promise<void>
}
