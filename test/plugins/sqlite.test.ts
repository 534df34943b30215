import { randomUUID } from 'node:crypto'
import driver from '../../plugins/sqlite/sqlite.ts'
import { conform } from '../../src/driver/conformance.ts'

conform(driver, { address: async () => `sqlite:///./${randomUUID()}.db` })
