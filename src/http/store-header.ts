import type { ServerResponse } from 'node:http'
import type { Session } from '../database/session.ts'

const storeHeaders = new Map<string, string>()

/** `local; driver=sqlite`: made once for each of the few that there are. */
export function storeHeader(shown: string, driver: string): string {
  const key = `${shown} ${driver}`
  const known = storeHeaders.get(key)
  if (known !== undefined) return known
  const made = `${shown}; driver=${driver}`
  storeHeaders.set(key, made)
  return made
}

/** Says on an application's own answer which database it used, where the answer has not begun. */
export function nameStore(res: ServerResponse, { shown, store }: Session): void {
  if (!res.headersSent) res.setHeader('Holdfast-Store', storeHeader(shown, store.driver.name))
}
