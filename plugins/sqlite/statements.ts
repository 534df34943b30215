import type { MikroORM, StatementRunner, Statements } from '../../src/driver/driver.ts'
import type { OpenFile } from './open-file.ts'
import { openFiles } from './registry.ts'

/** Native statements on the file of a connected ORM. */
export const statements: Statements = {
  bind(orm: MikroORM): StatementRunner {
    const file = openFileOf(orm)
    return {
      read: (sql, values) => file.read(sql, values),
      write: (sql, values) => file.write(sql, values),
    }
  },
}

/** The open file behind an ORM. @throws TypeError when it is not connected, or is none of this driver's. */
export function openFileOf(orm: MikroORM): OpenFile {
  const file = openFiles.get(orm.driver.getConnection())
  if (file === undefined) throw new TypeError('The ORM is not connected by this driver.')
  return file
}
