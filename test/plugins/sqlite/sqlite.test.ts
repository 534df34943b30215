import { randomUUID } from 'node:crypto'
import driver from '../../../plugins/sqlite/sqlite.ts'
import { conform } from '../../../src/conformance/conformance.ts'

conform(driver, { address: async () => `sqlite:///./${randomUUID()}.db` })
