let last = { shown: '', driver: '', text: '' }

/** The value of `Holdfast-Store`, for example `local; driver=sqlite`. Kept until another store answers: it is the same for each request. */
export function storeHeader(shown: string, driver: string): string {
  if (last.shown !== shown || last.driver !== driver) last = { shown, driver, text: `${shown}; driver=${driver}` }
  return last.text
}
