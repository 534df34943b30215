import type { Contestant } from './contestant.ts'

/** The longest delay of a service's event loop since the last call, in milliseconds. */
export async function longestDelayMs({ port }: Pick<Contestant, 'port'>): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const seconds = /^holdfast_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(text)?.[1]
  return Number(seconds) * 1_000
}
