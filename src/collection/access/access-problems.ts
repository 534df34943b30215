import { createProblem, type Problem } from '../../config/problem.ts'
import type { Defect } from '../declaration/check.ts'
import {
  type Collection,
  granteeOf,
  grantsOf,
  isPublic,
  type Operation,
  operations,
} from '../declaration/declaration.ts'
import { pointerInto } from '../declaration/source.ts'
import { ruleDefect } from './rule.ts'

/** What `access` of collections is worth knowing for, by code. */
export const accessProblems: Readonly<Record<string, string>> = {
  ACCESS_PUBLIC: 'Everyone may do this with the rows of the collection, without a token.',
}

/** What is wrong with the rules of a declaration; null: nothing. */
export function accessDefect(collection: Collection): Defect | null {
  for (const operation of operations) {
    const given = collection.access?.[operation]
    if (given === undefined) continue
    for (const [at, grant] of grantsOf(collection, operation).entries()) {
      const found = typeof grant === 'string' ? null : ruleDefect(collection, grant.where)
      if (found === null) continue
      const place = Array.isArray(given) ? `/${at}` : ''
      return {
        pointer: `/access/${operation}${place}/where${found.pointer}`,
        message: `The rule is not valid: ${found.message} This collection is not served.`,
        suggestion: 'Correct the rule: a filter over the fields of this collection.',
      }
    }
  }
  return null
}

/** One for each public action of a collection: good to know, and dangerous where it changes or removes what others wrote. */
export function publicProblems(collections: readonly Collection[]): readonly Problem[] {
  return collections.flatMap((collection) =>
    operations
      .filter((operation) => collection.access?.[operation] !== undefined && isPublic(collection, operation))
      .map((operation) => publicProblem(collection, operation)),
  )
}

const phrases: Readonly<Record<Operation, string>> = {
  create: 'create rows',
  list: 'list the rows',
  get: 'read each row',
  update: 'change the rows of others',
  delete: 'delete the rows of others',
  aggregate: 'aggregate the rows',
}

function publicProblem(collection: Collection, operation: Operation): Problem {
  const isDangerous = operation === 'update' || operation === 'delete'
  const isRuled = grantsOf(collection, operation).every((one) => granteeOf(one) !== 'public' || typeof one !== 'string')
  const severity = isDangerous ? 'warning' : 'info'
  return createProblem('ACCESS_PUBLIC', severity, pointerInto(collection, `/access/${operation}`), {
    message: `Collection "${collection.name}": everyone may ${phrases[operation]}${isRuled ? ' for which the rule is true' : ''}, without a token.`,
    suggestion: isDangerous
      ? 'Grant it to "owner", "user" or "token", unless everyone is meant.'
      : 'If that is not meant, grant it to "token", "user" or "admin".',
  })
}
