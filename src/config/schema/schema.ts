import { accessSchema } from './access.ts'
import { archiveSchema } from './archive.ts'
import { databaseSchema } from './database.ts'
import { serviceSchema } from './service.ts'

/** Every setting of the core, in convict's form: its meaning, format, safe default and environment name. */
export const coreSchema: typeof databaseSchema & typeof archiveSchema & typeof serviceSchema & typeof accessSchema = {
  ...databaseSchema,
  ...archiveSchema,
  ...serviceSchema,
  ...accessSchema,
}
