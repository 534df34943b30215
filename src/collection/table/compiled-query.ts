import type { Value } from '../../driver/facet/statements.ts'

/** A compiled statement: its text, and the position of each value in it. */
export interface Query {
  readonly sql: string
  /** Puts named values into the order of the text. */
  bind(values: ValuesByName): Value[]
}

/** Values by column name, and `limit`, `after` and `match`. */
export type ValuesByName = Readonly<Record<string, Value>>

/** Any table: the declaration has the names. */
export type AnyTable = Record<string, Record<string, unknown>>

/** A placeholder for a value at compile time, found again among the parameters. */
class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A placeholder in a statement that is built. Typed as `never`, because the builder wants values of the column and gets a placeholder. */
export function slot(name: string): never {
  return new Slot(name) as never
}

/** Compiles a statement all of whose values are slots. */
export function compiled(query: {
  compile(): { readonly sql: string; readonly parameters: readonly unknown[] }
}): Query {
  const { sql, parameters } = query.compile()
  const names = parameters.map((parameter) => {
    if (!(parameter instanceof Slot)) throw new Error(`A value without a name in: ${sql}`)
    return parameter.name
  })
  return {
    sql,
    bind: (values) => {
      const bound: Value[] = []
      for (const name of names) {
        const value = values[name]
        if (value === undefined) throw new Error(`No value for "${name}" in: ${sql}`)
        bound.push(value)
      }
      return bound
    },
  }
}
