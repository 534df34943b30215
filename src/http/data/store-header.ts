import type { ServerResponse } from 'node:http'
import type { Session } from '../../database/work/session.ts'

let last = { shown: '', driver: '', text: '' }

/** `local; driver=sqlite`: made anew only when another store answers than before. */
export function storeHeader(shown: string, driver: string): string {
  if (last.shown !== shown || last.driver !== driver) last = { shown, driver, text: `${shown}; driver=${driver}` }
  return last.text
}

/** Says on an application's own answer which database it used, where the answer has not begun. */
export function nameStore(res: ServerResponse, { shown, store }: Session): void {
  if (!res.headersSent) res.setHeader('Holdfast-Store', storeHeader(shown, store.driver.name))
}
