/** How much is read ahead. */
export interface AheadLimits {
  readonly atOnce: number
  /** Of those in progress and those that wait to be taken, unless it is one alone. */
  readonly bytes: number
}

/**
 * Loads items several at a time, and gives them in their order. Where the reader stops early, or one fails, `load`'s signal
 * aborts, and what was loaded is dropped.
 */
export async function* loadAhead<T extends { readonly bytes: number }, R>(
  items: readonly T[],
  limits: AheadLimits,
  outer: AbortSignal,
  load: (item: T, signal: AbortSignal) => Promise<R>,
): AsyncGenerator<R> {
  const controller = new AbortController()
  const signal = AbortSignal.any([outer, controller.signal])
  const loading: { readonly bytes: number; readonly loaded: Promise<R> }[] = []
  let [next, bytes] = [0, 0]
  const fill = (): void => {
    for (let item = items[next]; item !== undefined; item = items[next]) {
      const isFull = loading.length >= limits.atOnce || bytes + item.bytes > limits.bytes
      if (isFull && loading.length > 0) return
      const loaded = load(item, signal)
      // Whoever awaits it hears of it; nobody does after an earlier one has failed.
      loaded.catch(() => {})
      loading.push({ bytes: item.bytes, loaded })
      bytes += item.bytes
      next += 1
    }
  }
  try {
    for (fill(); loading.length > 0; fill()) {
      const [first] = loading
      if (first === undefined) return
      yield await first.loaded
      loading.shift()
      bytes -= first.bytes
    }
  } finally {
    controller.abort()
  }
}
