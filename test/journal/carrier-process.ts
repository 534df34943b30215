import { openScene } from './bench.ts'

// Carries the file of a scene to its primary and tells each step, so that the test can end this process at any of them.
const [url = '', dir = '', last = ''] = process.argv.slice(2)
const cleanup = { after: () => {} }
const scene = openScene(cleanup, url, dir)
const [primary, fallback] = [await scene.primary(), await scene.fallback()]
const { replay } = primary
/** A step is told once it has been done; the last one is where this process waits for its end. */
const tell = async <T>(step: string, done: Promise<T>): Promise<T> => {
  const value = await done
  await new Promise<void>((resolve) => process.stdout.write(`${step}\n`, () => resolve()))
  if (step === last) await new Promise((resolve) => setTimeout(resolve, 60_000))
  return value
}
const told = {
  ...replay,
  claim: (attempts: readonly string[]) => tell('claimed', replay.claim(attempts)),
  lock: (...given: Parameters<typeof replay.lock>) => tell('locked', replay.lock(...given)),
  insert: (...given: Parameters<typeof replay.insert>) => tell('inserted', replay.insert(...given)),
  update: (...given: Parameters<typeof replay.update>) => tell('updated', replay.update(...given)),
}
const { journal } = fallback
const marking = new Proxy(journal, {
  get(target, name) {
    // After COMMIT, and before the mark.
    if (name === 'carried')
      return (sequences: readonly number[]) =>
        tell('committed', Promise.resolve()).then(() => target.carried(sequences))
    const value: unknown = Reflect.get(target, name, target)
    return typeof value === 'function' ? value.bind(target) : value
  },
})
const from = { ...fallback, journal: marking }
await scene.replayer().carry(from, { ...primary, replay: told }, 0, new AbortController().signal)
await fallback.close(1_000)
await primary.close(1_000)
