import { dirname } from 'node:path'
import type { Connection, Facts, Want } from '../../../src/driver/driver.ts'
import { freeBytes, type Problem } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import { classify } from '../faults.ts'
import { type Native, undo } from '../handle.ts'
import { enterService } from './open-files.ts'

/** How long another writer is waited for before it counts as proof of a file that can be written. */
const waitMs = 250

/** The parts of a connection. */
export interface FileConnectionParts {
  readonly native: Native
  readonly path: string
  readonly isEphemeral: boolean
  readonly keepsRequests: boolean
  readonly problems: readonly Problem[]
  /** Called once, when the native connection is closed. */
  readonly left: () => Promise<void>
}

/** One native connection in no pool, for proofs. */
export class FileConnection implements Connection {
  readonly #parts: FileConnectionParts
  readonly #leave: () => void
  #end: Promise<void> | null = null

  constructor(parts: FileConnectionParts) {
    this.#parts = parts
    this.#leave = enterService(parts.path)
  }

  /** @throws what `classify` reads; on a full disk the proof `open` passes, because reads can be
   * answered; a busy writer is not a failure. */
  async verify(want: Want, signal: AbortSignal): Promise<Facts> {
    const { native, path, isEphemeral, keepsRequests, problems } = this.#parts
    signal.throwIfAborted()
    const version = String(native.prepare('select sqlite_version()').pluck().get())
    let full = await isFull(path)
    try {
      await whileBusy(() => writeProof(native), waitMs, signal)
    } catch (error) {
      const failure = undo(native)
      const { kind } = classify(error, 'commit')
      signal.throwIfAborted()
      if (failure !== null) throw failure
      if (kind !== 'transient' && (want.proof === 'write' || kind !== 'disk-full')) throw error
      full ||= kind === 'disk-full'
    }
    return { version, path, ephemeral: isEphemeral, full, pooled: false, keepsRequests, problems }
  }

  /** Never throws. Safe to call twice and after `evict`. */
  async close(): Promise<void> {
    this.evict()
    await this.#end
  }

  /** Frees the file at once. Never throws. Safe to call twice. */
  evict(): void {
    if (this.#end !== null) return
    try {
      this.#parts.native.close()
    } catch {
      // Nothing can be done about a handle that does not close; the process's end frees it.
    }
    this.#leave()
    this.#end = this.#parts.left().catch(() => {})
  }
}

/** A write may still find room inside the file; a large row would not. */
const roomBytes = 64 * 1024

async function isFull(path: string): Promise<boolean> {
  return ((await freeBytes(dirname(path))) ?? roomBytes) < roomBytes
}

/** A committed write that changes nothing: the header's application id, set to what it is, in a transaction of its own. */
function writeProof(native: Native): void {
  const id = Number(native.pragma('application_id', { simple: true }))
  native.exec(`begin immediate; pragma application_id = ${id}; commit`)
}
