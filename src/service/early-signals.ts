/** Signals that arrive while the service starts: remembered, and obeyed as soon as there is something that can obey. */

interface Held {
  readonly seen: NodeJS.Signals[]
  /** Takes the listeners away. */
  release(): void
}

/** The launcher holds them first (`cli/entry.js`, which an old Node reads); bundle and modules find its record here. */
const place = Symbol.for('holdfast.signals')

const shared = globalThis as { [place]?: Held } // Nobody else knows the symbol.
const held: Held = shared[place] ?? hold()
shared[place] = held

/** What came so far, each once. From now on signals are the caller's, who has set listeners of his own. */
export function takeSignals(): readonly NodeJS.Signals[] {
  held.release()
  return [...new Set(held.seen.splice(0))]
}

function hold(): Held {
  const seen: NodeJS.Signals[] = []
  const remember = (signal: NodeJS.Signals): void => {
    // Who asks twice does not want to wait for the start.
    if (signal !== 'SIGHUP' && seen.some((one) => one !== 'SIGHUP')) process.exit(1)
    seen.push(signal)
  }
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, remember)
  return {
    seen,
    release: () => {
      for (const signal of signals) process.removeListener(signal, remember)
    },
  }
}
