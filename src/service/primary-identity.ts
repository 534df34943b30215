import type { Store } from '../database/store/store.ts'
import type { Supervisor } from '../database/supervisor/supervisor.ts'

/** The identity of a primary: its own tables may come while it is open. */
export function identityIn({ watch, config }: Supervisor, { target, facts }: Store): string | undefined {
  const latest = config.primary?.target.id === target.id ? watch.facts : null
  return latest?.identity ?? facts.identity
}
