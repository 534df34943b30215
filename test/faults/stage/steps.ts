/** The fields of a row of `item` that business code sets. */
export interface ItemFields {
  readonly token: string
  readonly note?: string | null
  readonly slug?: string | null
}

/** One thing that business code does; `wait` waits until it is released by name. */
export type Step =
  | { readonly do: 'create'; readonly row: ItemFields }
  | { readonly do: 'change'; readonly id: string; readonly row: Partial<ItemFields> }
  | { readonly do: 'native'; readonly id: string; readonly row: Partial<ItemFields> }
  | { readonly do: 'remove'; readonly id: string }
  | { readonly do: 'sql'; readonly sql: string; readonly values: readonly (string | number | null)[] }
  | { readonly do: 'flush' }
  | { readonly do: 'wait'; readonly name: string }

/** What `/transaction` and `/handler` of the application carry out. */
export interface TransactionRequest {
  readonly steps: readonly Step[]
  readonly rerun?: 'before-commit' | 'always'
}
