/** Files that this process has open: they are neither set aside nor read by hand. */
const served = new Map<string, number>()

/** One more user of a file; returns how to leave, which may be called twice. */
export function enterService(file: string): () => void {
  served.set(file, (served.get(file) ?? 0) + 1)
  let isIn = true
  return () => {
    if (!isIn) return
    isIn = false
    const users = (served.get(file) ?? 1) - 1
    if (users > 0) served.set(file, users)
    else served.delete(file)
  }
}

/** True while this process has the file open. */
export function isServed(file: string): boolean {
  return served.has(file)
}
