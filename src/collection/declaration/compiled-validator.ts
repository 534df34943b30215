import standaloneCode from 'ajv/dist/standalone/index.js'
import { createAjv } from './ajv.ts'
import { collectionSchema } from './schema.ts'

/** The text of a module that stands in for `declaration-validator.ts` in the build. */
export function compiledValidator(): string {
  const ajv = createAjv({ allErrors: true, verbose: true, isText: true })
  const code = standaloneCode.default(ajv, ajv.compile(collectionSchema))
  return `${code}\nexport const declarationValidator = () => validate\n`
}
