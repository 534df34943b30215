/** Signals that arrive while the service starts: recorded, and obeyed as soon as it can obey them. */

interface SignalRecord {
  readonly seen: NodeJS.Signals[]
  /** Removes the listeners. */
  release(): void
}

/** The launcher records first (`cli/entry.js`, which an old Node reads); bundle and modules find its record here. */
const key = Symbol.for('holdfast.signals')

const shared = globalThis as { [key]?: SignalRecord } // Only the launcher uses the symbol.
const recorded: SignalRecord = shared[key] ?? record()
shared[key] = recorded

/** The signals so far, each once. From now on the caller's own listeners get them. */
export function takeSignals(): readonly NodeJS.Signals[] {
  recorded.release()
  return [...new Set(recorded.seen.splice(0))]
}

function record(): SignalRecord {
  const seen: NodeJS.Signals[] = []
  const remember = (signal: NodeJS.Signals): void => {
    // A second request to end does not wait for the start.
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
