import type { ServerKind } from '../stage/stage.ts'
import type { World } from '../stage/world.ts'

/** A course of events with one end that is right, driven by conditions, never by time. */
export interface Schedule {
  /** A sentence: what happens, and what must come of it. */
  readonly name: string
  /** Rejects when it ends otherwise. */
  readonly run: (world: World) => Promise<void>
  /** The servers that it says something about; both unless given: what becomes of a file is the same before any of them. */
  readonly on?: readonly ServerKind[]
  /** It fails the whole server, so it gets one of its own. */
  readonly ownServer?: true
  /** It takes long: only `npm run faults` has it. */
  readonly isLong?: true
}
