import { isThere } from '../../disk/disk.ts'
import { type DatabaseConfig, targetFiles } from '../address/config.ts'
import type { Supervisor } from './supervisor.ts'

/** Whether the process goes on after the boot policy. */
export interface Booted {
  /** The exit code when the process has to end. */
  readonly exit?: number
  /** The reason, for people. */
  readonly why?: string
}

/**
 * Applies the boot policy; called after listening. `lazy` opens nothing, unless rows may have to be restored first
 * (`isArchived`), or a journal may be waiting: a primary is declared and a file of the fallback exists. `eager` opens in the background. `required` waits, and ends the process when
 * the primary (or, where none is declared, the local store) is not reached. Never rejects.
 */
export async function boot(
  policy: 'lazy' | 'eager' | 'required',
  supervisor: Supervisor,
  config: DatabaseConfig,
  isArchived: boolean,
): Promise<Booted> {
  switch (policy) {
    case 'eager':
      void supervisor.open()
      return {}
    case 'required':
      return await required(supervisor, config)
    case 'lazy':
      if (isArchived || (config.declared && (await hasFiles(config)))) void supervisor.open()
      return {}
  }
}

async function required(supervisor: Supervisor, config: DatabaseConfig): Promise<Booted> {
  const state = await supervisor.open()
  if (state.name === 'PRIMARY_CONNECTED') return {}
  if (state.name === 'FALLBACK_CONNECTED' && !state.declared) return {}
  const what = config.declared ? 'primary' : 'local database'
  const fault =
    state.name === 'CONNECTION_ERROR' ? state.fault : state.name === 'FALLBACK_CONNECTED' ? state.cause : null
  const why = fault === null ? '' : ` ${fault.summary} ${fault.hint}`
  return { exit: 1, why: `DATABASE_BOOT=required, but the ${what} was not reached.${why}` }
}

/** Whether a file that the fallback would use exists. Opens and makes nothing. */
async function hasFiles({ fallback }: DatabaseConfig): Promise<boolean> {
  const found = await Promise.all(targetFiles(fallback).map(isThere))
  return found.includes(true)
}
