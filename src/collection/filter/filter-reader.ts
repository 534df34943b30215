import { escapePointer } from '../declaration/ajv.ts'
import { isJsonObject } from '../declaration/json-limits.ts'
import { type FieldPath, type Filter, filterLimits, type Operator, operators } from './filter.ts'
import { type Operand, operandOfJson, operandOfText, operandWords } from './operand.ts'
import { type AskedCollection, type OperandType, operatorOf, pathOf } from './paths.ts'
import { queryInvalid, queryTooComplex, quoted, suggestionFor } from './query-error.ts'

/** Reads text that stands for a value which is known later; null: the text is a literal. */
export type ReadVariable = (type: OperandType, text: string, pointer: string, isList: boolean) => Operand | null

/**
 * Reads the filter of one request: conditions of an address, and JSON. All of them together are within the limits. Throws
 * QUERY_INVALID and QUERY_TOO_COMPLEX.
 */
export class FilterReader {
  readonly #of: AskedCollection
  readonly #variable: ReadVariable | null
  #conditions = 0
  #listed = 0

  /** `variable`: of a rule, whose text may name who asks. */
  constructor(of: AskedCollection, variable: ReadVariable | null = null) {
    this.#of = of
    this.#variable = variable
  }

  /** A condition of an address, `path` or `path:operator`, with all values of this name. `parameters`: what else the name could have been. */
  ofAddress(name: string, values: readonly string[], parameters: readonly string[]): Filter {
    const colon = name.indexOf(':')
    const path = pathOf(this.#of, colon < 0 ? name : name.slice(0, colon), undefined, parameters)
    const operator = operatorOf(path, colon < 0 ? 'eq' : name.slice(colon + 1))
    if (values.length > 1 && !isRepeated(operator)) throw queryInvalid(`The parameter ${quoted(name)} appears twice.`)
    this.#count(isRepeated(operator) ? values.length : 0)
    const type = operandType(path, operator)
    const operands = values.map((text) => {
      const operand = operandOfText(type, text)
      if (operand === null) throw queryInvalid(`${quoted(name)} accepts ${operandWords(type)}.`)
      return checkLength(operator, operand)
    })
    return { is: 'condition', path, operator, operands }
  }

  /** A filter in JSON; `pointer` is where it stands in what the client sent. */
  ofJson(value: unknown, pointer: string = ''): Filter {
    return this.#filter(value, pointer, 1)
  }

  #filter(value: unknown, pointer: string, depth: number): Filter {
    if (depth > filterLimits.depth) {
      throw queryTooComplex(`A filter may have at most ${filterLimits.depth} levels.`, pointer)
    }
    if (!isJsonObject(value)) {
      throw queryInvalid('A filter is a JSON object, such as {"rating": {"gte": 4}}.', pointer)
    }
    const filters = Object.keys(value).flatMap((name) =>
      this.#member(name, value[name], `${pointer}/${escapePointer(name)}`, depth),
    )
    return this.#joined('and', filters, pointer)
  }

  #member(name: string, value: unknown, pointer: string, depth: number): readonly Filter[] {
    switch (name) {
      case 'AND':
      case 'OR': {
        if (!Array.isArray(value)) throw queryInvalid(`"${name}" takes an array of filters.`, pointer)
        const filters = value.map((inner, at) => this.#filter(inner, `${pointer}/${at}`, depth + 1))
        return [this.#joined(name === 'AND' ? 'and' : 'or', filters, pointer)]
      }
      case 'NOT':
        return [{ is: 'not', filter: this.#filter(value, pointer, depth + 1) }]
      default:
        return this.#conditionsOf(this.#path(name, pointer), value, pointer)
    }
  }

  #path(name: string, pointer: string): FieldPath {
    const [path = '', operator] = name.split(':')
    if (operator !== undefined && this.#of.asked.has(path.split('.', 1)[0] ?? '')) {
      throw queryInvalid(`In JSON the operator is a member: {${quoted(path)}: {${quoted(operator)}: ...}}.`, pointer)
    }
    return pathOf(this.#of, name, pointer, ['AND', 'OR', 'NOT'])
  }

  #conditionsOf(path: FieldPath, value: unknown, pointer: string): readonly Filter[] {
    if (value === null) return [this.#condition(path, 'null', true, pointer)]
    if (!isJsonObject(value)) return [this.#condition(path, operatorOf(path, 'eq', pointer), value, pointer)]
    const names = Object.keys(value)
    if (names.length === 0) throw queryInvalid(`An operator is missing, such as {"eq": ...}.`, pointer)
    return names.map((name) => {
      const inner = `${pointer}/${escapePointer(name)}`
      if (!isOperator(name)) {
        throw queryInvalid(`Unknown operator ${quoted(name)}. ${suggestionFor(name, operators)}`, inner)
      }
      return this.#condition(path, operatorOf(path, name, inner), value[name], inner)
    })
  }

  #condition(path: FieldPath, operator: Operator, value: unknown, pointer: string): Filter {
    const type = operandType(path, operator)
    if (!isRepeated(operator)) {
      this.#count(0, pointer)
      return { is: 'condition', path, operator, operands: [this.#operand(type, operator, value, pointer)] }
    }
    const list = this.#list(type, operator, value, pointer)
    this.#count(list.length, pointer)
    if (list.length > 0) return { is: 'condition', path, operator, operands: list }
    if (operator === 'has') throw queryInvalid('"has" needs at least one item.', pointer)
    return { is: operator === 'in' ? 'or' : 'and', filters: [] }
  }

  #list(type: OperandType, operator: Operator, value: unknown, pointer: string): readonly Operand[] {
    if (Array.isArray(value)) {
      if (value.length > filterLimits.listValues) throw tooManyValues(pointer)
      return value.map((one, at) => this.#operand(type, operator, one, `${pointer}/${at}`))
    }
    const variable = typeof value === 'string' ? this.#variable?.(type, value, pointer, true) : undefined
    if (variable != null) return [variable]
    if (operator === 'has') return [this.#operand(type, operator, value, pointer)]
    throw queryInvalid(`"${operator}" takes an array; each item is ${operandWords(type)}.`, pointer)
  }

  #operand(type: OperandType, operator: Operator, value: unknown, pointer: string): Operand {
    const text = typeof value === 'string' && this.#variable !== null ? value : null
    const variable = text === null ? null : (this.#variable?.(type, text, pointer, false) ?? null)
    if (variable !== null) return variable
    // A literal that begins with "$" has it twice.
    const literal = text?.startsWith('$$') ? text.slice(1) : value
    const operand = operandOfJson(type, literal)
    if (operand !== null) return checkLength(operator, operand, pointer)
    const hint = value === null ? ' Rows without a value are found by {"null": true}.' : ''
    throw queryInvalid(`It accepts ${operandWords(type)}.${hint}`, pointer)
  }

  /** One filter by itself stays as it is, so that an index serves it. None count as a condition: thousands would be a statement. */
  #joined(is: 'and' | 'or', filters: readonly Filter[], pointer: string): Filter {
    const [only] = filters
    if (only === undefined) this.#count(0, pointer)
    return filters.length === 1 && only !== undefined ? only : { is, filters }
  }

  #count(listed: number, pointer?: string): void {
    this.#conditions += 1
    this.#listed += listed
    if (this.#conditions > filterLimits.conditions) {
      throw queryTooComplex(`A filter may have at most ${filterLimits.conditions} conditions.`, pointer)
    }
    if (this.#listed > filterLimits.listValues) throw tooManyValues(pointer)
  }
}

function tooManyValues(pointer: string | undefined): Error {
  return queryTooComplex(`All lists of a filter may have at most ${filterLimits.listValues} values together.`, pointer)
}

/** True for operators that take several operands. */
function isRepeated(operator: Operator): boolean {
  return operator === 'in' || operator === 'nin' || operator === 'has'
}

function operandType(path: FieldPath, operator: Operator): OperandType {
  if (operator === 'null') return { kind: 'boolean' }
  return operator === 'has' && path.items !== undefined ? path.items : path
}

const searching: ReadonlySet<Operator> = new Set(['contains', 'startsWith', 'endsWith', 'icontains'])

function checkLength(operator: Operator, operand: Operand, pointer?: string): Operand {
  if (typeof operand !== 'string' || operand.length <= filterLimits.textLength || !searching.has(operator)) {
    return operand
  }
  // Counted in code points, as lengths of fields are.
  if ([...operand].length <= filterLimits.textLength) return operand
  throw queryTooComplex(`Text for "${operator}" may have at most ${filterLimits.textLength} characters.`, pointer)
}

function isOperator(name: string): name is Operator {
  return (operators as readonly string[]).includes(name)
}
