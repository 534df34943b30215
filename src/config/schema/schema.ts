import { databaseSchema } from './database.ts'
import { serviceSchema } from './service.ts'

/** Every setting of the core, in the form that convict takes: its meaning, format, safe default and environment name. */
export const coreSchema: typeof databaseSchema & typeof serviceSchema = { ...databaseSchema, ...serviceSchema }
