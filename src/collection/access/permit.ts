import { HoldfastError } from '../../errors.ts'
import {
  type Collection,
  type FilterJson,
  type Grant,
  type Grantee,
  granteeOf,
  grantsOf,
  kindOfField,
  type Operation,
} from '../declaration/declaration.ts'
import type { Condition, Filter } from '../filter/filter.ts'
import { adminCaller, type Caller, publicCaller, subjectOf } from './caller.ts'
import type { Granted } from './granted.ts'
import { type Rule, readRule } from './rule.ts'
import { isInScope } from './scope.ts'
import { visibleFields } from './visible-fields.ts'

/**
 * What this caller may do. Throws TOKEN_MISSING or TOKEN_INVALID where the operation needs a caller who is known,
 * SCOPE_MISSING or ACCESS_DENIED where it needs another one.
 */
export function permit(collection: Collection, operation: Operation, caller: Caller, now?: Date): Granted {
  const known = alike.get(collection)?.get(operation)
  if (known !== undefined && known.caller === caller) return known
  const granted = permitted(collection, operation, caller, now)
  if (granted === null) throw refusal(collection, operation, caller)
  if (isAlike(collection, operation, caller)) keep(collection, operation, granted)
  return granted
}

/** What was last granted where it is the same for each request: to everyone or the admin, without a rule. */
const alike = new WeakMap<Collection, Map<Operation, Granted>>()

function isAlike(collection: Collection, operation: Operation, caller: Caller): boolean {
  const isOne = caller === publicCaller || caller === adminCaller
  return isOne && grantsOf(collection, operation).every((grant) => typeof grant === 'string')
}

function keep(collection: Collection, operation: Operation, granted: Granted): void {
  const kept = alike.get(collection) ?? new Map<Operation, Granted>()
  alike.set(collection, kept.set(operation, granted))
}

/** The same; null if the caller may not do it at all. `now` is the `$now` of rules. */
export function permitted(
  collection: Collection,
  operation: Operation,
  caller: Caller,
  now: Date = new Date(),
): Granted | null {
  const rule = ruleOf({ collection, operation, caller, now })
  return rule === 'none' ? null : { caller, rule, fields: visibleFields(collection, caller) }
}

/** What is asked: may this caller do this, now? */
interface Question {
  readonly collection: Collection
  readonly operation: Operation
  readonly caller: Caller
  readonly now: Date
}

/** The rows that the caller may work on: null is all of them, `none` is no operation at all. */
function ruleOf(asked: Question): Filter | null | 'none' {
  const grants = grantsOf(asked.collection, asked.operation)
  if (grants.every((grant) => granteeOf(grant) === 'none')) return 'none'
  // The admin may do whatever someone may; only a grant to the admin with a rule of its own says less.
  if (asked.caller.is === 'admin' && !grants.some((grant) => granteeOf(grant) === 'admin')) return null
  const filters: Filter[] = []
  for (const grant of grants) {
    const held = heldOn(asked, grant)
    if (held === null) return null
    if (held !== 'none') filters.push(held)
  }
  if (filters.length === 0) return 'none'
  return oneOf('or', filters)
}

/** The rows on which a grant counts for the caller. */
function heldOn(asked: Question, grant: Grant): Filter | null | 'none' {
  const { collection, operation, caller, now } = asked
  const to = granteeOf(grant)
  const isHeld = to === 'owner' ? mayOwn(collection, operation, caller) : isHolder(collection, operation, to, caller)
  if (!isHeld) return 'none'
  const filters: Filter[] = []
  // What one creates is one's own: the service sets the field.
  if (to === 'owner' && operation !== 'create') {
    const own = ownerFilter(collection, caller)
    if (own === null) return 'none'
    filters.push(own)
  }
  if (typeof grant !== 'string') filters.push(boundRule(collection, grant.where, caller, now))
  return filters.length === 0 ? null : oneOf('and', filters)
}

function oneOf(is: 'and' | 'or', filters: readonly Filter[]): Filter {
  const [only] = filters
  return filters.length === 1 && only !== undefined ? only : { is, filters }
}

const rules = new WeakMap<Collection, Map<FilterJson, Rule>>()

/** Read once for each collection: only its variables differ between requests. */
function boundRule(collection: Collection, where: FilterJson, caller: Caller, now: Date): Filter {
  const known = rules.get(collection) ?? new Map<FilterJson, Rule>()
  rules.set(collection, known)
  const rule = known.get(where) ?? readRule(collection, where)
  known.set(where, rule)
  return rule.bind(caller, now)
}

function isHolder(
  collection: Collection,
  operation: Operation,
  to: Exclude<Grantee, 'owner'>,
  caller: Caller,
): boolean {
  switch (to) {
    case 'public':
      return true
    case 'token':
      return caller.is === 'token' && isInScope(caller.scopes, collection, operation)
    case 'user':
      return caller.is === 'user'
    case 'admin':
      return caller.is === 'admin'
    case 'none':
      return false
  }
}

/** A token needs the scope for its own rows, too: its scopes are all that it may do. */
function mayOwn(collection: Collection, operation: Operation, caller: Caller): boolean {
  return caller.is === 'user' || (caller.is === 'token' && isInScope(caller.scopes, collection, operation))
}

/** The rows whose `owner` field names the caller; null where that can be none. */
function ownerFilter({ fields, owner = '' }: Collection, caller: Caller): Condition | null {
  const field = fields[owner]
  const subject = subjectOf(caller)
  if (field === undefined || subject === null) return null
  const path = { name: owner, field: owner, members: [], kind: kindOfField(field) }
  return { is: 'condition', path, operator: 'eq', operands: [subject] }
}

function refusal(collection: Collection, operation: Operation, caller: Caller): HoldfastError {
  const grants = grantsOf(collection, operation).map(granteeOf)
  if (grants.every((to) => to === 'none')) return new HoldfastError('ACCESS_DENIED', { detail: 'No one may do this.' })
  if (caller.is === 'public') return new HoldfastError(caller.hasUnknownToken ? 'TOKEN_INVALID' : 'TOKEN_MISSING')
  const isForTokens = grants.some((to) => to === 'token' || to === 'owner')
  if (caller.is !== 'token' || !isForTokens) return new HoldfastError('ACCESS_DENIED')
  if (isInScope(caller.scopes, collection, operation)) return new HoldfastError('ACCESS_DENIED')
  return new HoldfastError('SCOPE_MISSING', { detail: `It needs the scope "${collection.name}:${operation}".` })
}
