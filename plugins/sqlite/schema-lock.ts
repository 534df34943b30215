import type { MikroORM, SchemaLock, SqlEntityManager } from '../../src/driver/driver.ts'
import { nestedError } from './faults.ts'
import { reservation, transactionAround } from './scope.ts'
import { openFileOf } from './statements.ts'

/** One BEGIN IMMEDIATE: no other writer of any process is beside it, and a dead holder's lock is gone with it. */
export const schemaLock: SchemaLock = {
  async hold<R>(orm: MikroORM, signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R> {
    signal.throwIfAborted()
    const file = openFileOf(orm)
    if (transactionAround(file) !== null) throw nestedError()
    const reserved = { permit: await file.writer.take('a schema change', null, signal), signal }
    const { permit } = reserved
    try {
      // Its own tables have no entities yet, so there is nothing to flush but what `change` itself made.
      return await reservation.run(reserved, () => orm.em.fork().transactional((em) => change(em)))
    } finally {
      permit.release()
    }
  },
}
