import { access } from 'node:fs/promises'
import type { DatabaseConfig } from '../address/config.ts'
import type { Supervisor } from './supervisor.ts'

/** What main.ts does next: end with `exit`, or go on. */
export interface Booted {
  readonly exit?: number
  /** One sentence for people when the process is to end. */
  readonly why?: string
}

/**
 * The boot policy, called after listening. `lazy` opens nothing, unless a journal may be waiting: a primary is declared
 * and a file of ours is in one of its places. `eager` opens in the background. `required` waits, and ends the process
 * when the primary (or, where none is declared, the local store) is not reached. Never rejects.
 */
export async function boot(
  policy: 'lazy' | 'eager' | 'required',
  supervisor: Supervisor,
  config: DatabaseConfig,
): Promise<Booted> {
  switch (policy) {
    case 'eager':
      void supervisor.open()
      return {}
    case 'required':
      return await required(supervisor, config)
    case 'lazy':
      if (config.declared && (await hasFiles(config))) void supervisor.open()
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
  return { exit: 1, why: `DATABASE_BOOT=required, and the ${what} was not reached.${why}` }
}

/** Whether one of the files that the fallback would use is there. Opens and makes nothing. */
async function hasFiles({ fallback }: DatabaseConfig): Promise<boolean> {
  if (fallback === null) return false
  const { driver, target } = fallback
  const found = await Promise.all((driver.embedded?.files(target) ?? []).map(isThere))
  return found.includes(true)
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
