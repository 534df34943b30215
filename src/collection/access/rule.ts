import { type FieldError, HoldfastError } from '../../errors.ts'
import type { Collection, FilterJson } from '../declaration/declaration.ts'
import { ownColumns } from '../declaration/names.ts'
import { type Condition, type Filter, filterLimits } from '../filter/filter.ts'
import { FilterReader } from '../filter/filter-reader.ts'
import { type Operand, operandOfJson } from '../filter/operand.ts'
import type { OperandType } from '../filter/paths.ts'
import { queryInvalid, quoted } from '../filter/query-error.ts'
import type { Caller } from './caller.ts'

/** An operand of a rule that is known when someone asks. */
class RuleVariable {
  readonly type: OperandType
  /** As it is written: `$user.sub`. */
  readonly name: string
  /** It stands for all values of a list. */
  readonly isList: boolean

  constructor(type: OperandType, name: string, isList: boolean) {
    this.type = type
    this.name = name
    this.isList = isList
  }

  /** The values for this caller; null: it has none, or they are not of the type. */
  valuesFor(caller: Caller, now: Date): readonly Operand[] | null {
    const given = givenBy(this.name, this.type, caller, now)
    const values = this.isList && Array.isArray(given) ? given : [given]
    if (values.length > filterLimits.listValues) return null
    const operands = values.flatMap((value) => operandOfJson(this.type, value) ?? [])
    return operands.length === values.length ? operands : null
  }
}

/** The rows that a grant is for: the `where` of a declaration, read once and bound for each request. */
export class Rule {
  readonly #filter: Filter
  readonly #hasVariables: boolean

  constructor(filter: Filter) {
    this.#filter = filter
    this.#hasVariables = hasVariables(filter)
  }

  /**
   * The rule with the values of this caller. A condition whose value the caller does not have never lets a row through, whichever
   * way it is turned: `{"owner": {"ne": "$user.sub"}}` would otherwise be true of every row for someone unknown.
   */
  bind(caller: Caller, now: Date): Filter {
    return this.#hasVariables ? bindFilter(this.#filter, caller, now, false) : this.#filter
  }
}

/** Reads the `where` of a grant; all fields may be named. Throws QUERY_INVALID or QUERY_TOO_COMPLEX with a pointer. */
export function readRule(collection: Collection, where: FilterJson): Rule {
  const asked = new Set([
    ...Object.keys(collection.fields),
    ...ownColumns.filter((name) => name !== 'holdfast_attempt'),
  ])
  return new Rule(new FilterReader({ collection, asked }, readVariable).ofJson(where))
}

/** What is wrong with the `where` of a grant; null: nothing. The pointer is into `where`. */
export function ruleDefect(collection: Collection, where: FilterJson): FieldError | null {
  try {
    readRule(collection, where)
    return null
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return error.errors?.[0] ?? { pointer: '', message: error.detail ?? error.title }
  }
}

function readVariable(type: OperandType, text: string, pointer: string, isList: boolean): Operand | null {
  if (!text.startsWith('$') || text.startsWith('$$')) return null
  const isNow = text === '$now' && !isList
  if (!isNow && text !== '$token.name' && !/^\$user\../s.test(text)) {
    const known =
      'Variables are $user.sub, $user.<claim>, $token.name and $now; text that begins with "$" has it twice.'
    throw queryInvalid(`Unknown variable ${quoted(text)}. ${known}`, pointer)
  }
  if (isNow && type.kind !== 'instant' && type.kind !== 'date') {
    throw queryInvalid('"$now" is compared with a date or a date-time.', pointer)
  }
  return new RuleVariable(type, text, isList)
}

/** As JSON; undefined: the caller has none. */
function givenBy(name: string, { kind }: OperandType, caller: Caller, now: Date): unknown {
  if (name === '$now') return kind === 'date' ? now.toISOString().slice(0, 10) : now.toISOString()
  if (name === '$token.name') return caller.is === 'token' ? caller.name : undefined
  if (caller.is !== 'user') return undefined
  const claim = name.slice('$user.'.length)
  if (claim === 'sub') return caller.subject
  return Object.hasOwn(caller.claims, claim) ? caller.claims[claim] : undefined
}

function hasVariables(filter: Filter): boolean {
  if (filter.is === 'condition') return filter.operands.some((operand) => operand instanceof RuleVariable)
  return filter.is === 'not' ? hasVariables(filter.filter) : filter.filters.some(hasVariables)
}

function bindFilter(filter: Filter, caller: Caller, now: Date, isNegated: boolean): Filter {
  switch (filter.is) {
    case 'condition':
      // Under an odd number of NOTs, what is true lets no row through.
      return bindCondition(filter, caller, now) ?? { is: isNegated ? 'and' : 'or', filters: [] }
    case 'not':
      return { is: 'not', filter: bindFilter(filter.filter, caller, now, !isNegated) }
    default:
      return { is: filter.is, filters: filter.filters.map((inner) => bindFilter(inner, caller, now, isNegated)) }
  }
}

/** Null: the caller does not have a value for it. */
function bindCondition(condition: Condition, caller: Caller, now: Date): Filter | null {
  const operands: Operand[] = []
  for (const operand of condition.operands) {
    const values = operand instanceof RuleVariable ? operand.valuesFor(caller, now) : [operand]
    if (values === null) return null
    operands.push(...values)
  }
  if (operands.length > 0) return { ...condition, operands }
  // A claim that is an empty list. Every array has all items of none, which no one means.
  if (condition.operator === 'has') return null
  return { is: condition.operator === 'in' ? 'or' : 'and', filters: [] }
}
