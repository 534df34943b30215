import { FaultError } from '../../driver/fault.ts'
import type { CommandContext } from '../command.ts'
import { CommandFailure, CommandStores, failureOf } from './open.ts'

/** What a command on databases is given. */
export interface StoreCommandOptions {
  readonly json: boolean
  /** Aborted by SIGINT. */
  readonly signal: AbortSignal
}

/** 130: interrupted; it can be run again. */
export type StoreExit = 0 | 1 | 2 | 3 | 130

/** Runs a command with its databases, and closes them; prints why it cannot go on. */
export async function withStores(
  context: CommandContext,
  options: StoreCommandOptions,
  work: (stores: CommandStores) => Promise<StoreExit>,
): Promise<StoreExit> {
  return await guarded(context, options, async () => {
    await using stores = await CommandStores.of(context)
    return await work(stores)
  })
}

/** Runs a command; prints why it cannot go on. */
export async function guarded(
  context: CommandContext,
  { json, signal }: StoreCommandOptions,
  work: () => Promise<StoreExit>,
): Promise<StoreExit> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted) {
      context.err('holdfast: interrupted. Run it again to go on.\n')
      return 130
    }
    const failure = error instanceof FaultError ? failureOf(error.fault, 3) : error
    if (!(failure instanceof CommandFailure)) throw error
    if (json) context.out(line({ event: 'failed', message: failure.message, hint: failure.hint }))
    else context.err(`holdfast: ${failure.message} ${failure.hint}\n`)
    return failure.code
  }
}

/** A line of JSON. */
export function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}

/** `1 change` or `2 changes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** The time in a UUIDv7. */
export function timeOfId(id: string): string {
  const ms = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
  return Number.isFinite(ms) && ms < 8.64e15 ? new Date(ms).toISOString() : ''
}
