import type { Attempts } from '../../src/driver/kit/driver-kit.ts'
import type { SafePool } from './client/pool.ts'

/** Waits for an open claim of the same attempt, which locks its key. */
const claiming = 'insert ignore into holdfast_attempt (id) values (?)'

/** Lists of these lengths alone: each text is prepared once per connection. */
const lengths: readonly number[] = [1, 8, 64, 512]

/** The claims of a pool. */
export function attemptsOf({ statements }: SafePool): Attempts {
  return {
    claiming: 'driver',
    async claim(attempt) {
      return (await statements.write(claiming, [attempt])).changed === 1
    },
    async forget(attempts) {
      const most = lengths.at(-1) ?? 1
      for (let at = 0; at < attempts.length; at += most) {
        const part = attempts.slice(at, at + most)
        const length = lengths.find((one) => one >= part.length) ?? most
        const filled = [...part, ...Array<string>(length - part.length).fill(part[0] ?? '')]
        await statements.write(`delete from holdfast_attempt where id in (${filled.map(() => '?').join(', ')})`, filled)
      }
    },
  }
}
