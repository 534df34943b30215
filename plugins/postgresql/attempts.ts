import type { Attempts } from '../../src/driver/kit/driver-kit.ts'
import type { SafePool } from './client/pool.ts'

const claiming = 'insert into holdfast_attempt (id) values ($1) on conflict do nothing'
const forgetting = 'delete from holdfast_attempt where id = any($1)'

/** The claims of a pool. A claim waits for an open one of the same attempt, whose key is in the index before its COMMIT. */
export function attemptsOf({ statements }: SafePool): Attempts {
  return {
    claiming: 'with',
    async claim(attempt) {
      return (await statements.write(claiming, [attempt])).changed === 1
    },
    async forget(attempts) {
      if (attempts.length > 0) await statements.write(forgetting, [arrayText(attempts)])
    },
  }
}

/** An array of texts as one value, of whatever type the server expects there. */
export function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}
