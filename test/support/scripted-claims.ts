import { CompiledQuery } from 'kysely'
import type { Engine } from '../../src/driver/driver.ts'
import { type Attempts, claimKnownCode } from '../../src/driver/facet/attempts.ts'
import type { Row, Statements, Value, WriteNote, Written } from '../../src/driver/facet/statements.ts'
import { FaultError } from '../../src/driver/fault.ts'
import type { MikroORM } from '../../src/driver/orm.ts'
import { faultLike } from './scripted-driver.ts'

/** What becomes of a write: `unanswered` was done, `vanished` was not done yet; neither is answered. */
export type Fate = 'answered' | 'unanswered' | 'vanished'

/** Claims and writes of a scripted primary, whose answers get lost as a test says. */
export class ScriptedClaims implements Attempts {
  readonly claiming = 'driver'
  readonly claims: Set<string> = new Set()
  readonly forgotten: (readonly string[])[] = []
  /** Of the next writes; those behind them are answered. */
  fates: Fate[] = []
  /** The code of a lost answer. */
  code = 'TEST_lost'
  /** Called before a lost answer is known. */
  onLost: () => Promise<void> = async () => {}
  /** What every write was told. */
  readonly notes: (WriteNote | undefined)[] = []
  /** Does what has vanished: the server had received it after all. */
  arrive: () => Promise<Written> = () => Promise.reject(new Error('Nothing has vanished.'))

  /** The members of the primary's engine. */
  get engine(): Partial<Engine> {
    return { attempts: () => this, statements: (orm) => this.#statements(orm) }
  }

  async claim(attempt: string): Promise<boolean> {
    if (this.claims.has(attempt)) return false
    this.claims.add(attempt)
    return true
  }

  async forget(attempts: readonly string[]): Promise<void> {
    this.forgotten.push(attempts)
  }

  #statements(orm: MikroORM): Statements {
    const run = (sql: string, values: readonly Value[]) =>
      orm.em.getKysely().executeQuery<Row>(CompiledQuery.raw(sql, [...values]))
    const write = async (sql: string, values: readonly Value[], note?: WriteNote): Promise<Written> => {
      const attempt = note?.claims === true ? note.attempt : undefined
      if (attempt !== undefined && this.claims.has(attempt)) {
        throw new FaultError(faultLike('constraint', { code: claimKnownCode }))
      }
      const { rows, numAffectedRows } = await run(sql, values)
      if (attempt !== undefined) this.claims.add(attempt)
      return { rows, changed: Number(numAffectedRows ?? rows.length) }
    }
    return {
      read: async (sql, values) => (await run(sql, values)).rows,
      write: async (sql, values, note) => {
        this.notes.push(note)
        const fate = this.fates.shift() ?? 'answered'
        this.arrive = () => write(sql, values, note)
        if (fate === 'answered') return await write(sql, values, note)
        if (fate === 'unanswered') await write(sql, values, note)
        await this.onLost()
        throw new FaultError(faultLike('lost', { ambiguous: true, code: this.code }))
      },
    }
  }
}
