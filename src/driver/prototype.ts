/**
 * Watches what plugins add to `Object.prototype`: every object of the process would have it, and the libraries that walk
 * over objects fail. The function takes it away again, where that is possible, and gives its names.
 */
export function watchPrototype(): () => readonly string[] {
  const before = new Set(Reflect.ownKeys(Object.prototype))
  return () => {
    const added = Reflect.ownKeys(Object.prototype).filter((key) => !before.has(key))
    for (const key of added) Reflect.deleteProperty(Object.prototype, key)
    return added.map((key) => String(key).slice(0, 60))
  }
}
