/** The part of JSON Schema that our own schemas use. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}
