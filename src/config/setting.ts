import type { ApiToken } from './schema/api-token.ts'
import type { Secret } from './secret.ts'

/** The formats that are registered with convict. The prefix keeps them apart from an application's own: convict has one table for the whole process. */
export type FormatName =
  | 'holdfast:address'
  | 'holdfast:verbatim'
  | 'holdfast:text'
  | 'holdfast:path'
  | 'holdfast:pem'
  | 'holdfast:token'
  | 'holdfast:file-name'
  | 'holdfast:absolute-folder'
  | 'holdfast:boolean'
  | 'holdfast:integer'
  | 'holdfast:seconds'
  | 'holdfast:milliseconds'
  | 'holdfast:bytes'
  | 'holdfast:list'
  | 'holdfast:api-tokens'
  | 'holdfast:web-address'
  | 'holdfast:origin'
  | 'holdfast:public-key'
  | 'holdfast:signing-secret'

/** What a format knows about a setting besides its name. Plain data: convict returns its schema as JSON. */
export interface FormatParameters {
  /** Bounds of a number, both inclusive. */
  readonly min?: number
  readonly max?: number
  /** Ends the sentence "Set X to ..."; by default the text of the format does. */
  readonly accepts?: string
  /** What each entry of a list is. */
  readonly of?: ItemFormat
}

/** The format of one value: one of the words, or a format that is registered with convict. */
export interface ItemFormat extends FormatParameters {
  readonly format: FormatName | readonly string[]
}

/** One setting in convict's form. */
export interface Setting extends ItemFormat {
  readonly doc: string
  /** Used when nothing usable is given. */
  readonly default: string | number | boolean | null | readonly string[]
  /** The environment variable that gives it; empty when another setting has that name already. */
  readonly env: string
  /** True: resolved as a `Secret`, never shown. */
  readonly sensitive?: boolean
  /** True: null (or blank text) leaves it unset. */
  readonly nullable?: boolean
  /** True: a file cannot give it, because it decides which files are read or names the platform. */
  readonly environmentOnly?: boolean
  /** True: read once, when the process starts; a change takes effect after a restart. */
  readonly restart?: boolean
  /** True: accepted for compatibility, without effect. */
  readonly inert?: boolean
}

/** Settings by section. */
export interface SchemaTree {
  readonly [name: string]: Setting | SchemaTree
}

/** The values of a schema, section by section. */
export type ValuesOf<S> = { readonly [K in keyof S]: S[K] extends Setting ? ValueOf<S[K]> : ValuesOf<S[K]> }

type ValueOf<D extends Setting> =
  | (D extends { readonly sensitive: true } ? Secret : PlainOf<D>)
  | (D extends { readonly nullable: true } ? null : never)

type PlainOf<D extends ItemFormat> = D['format'] extends readonly (infer W)[]
  ? W
  : D['format'] extends 'holdfast:boolean'
    ? boolean
    : D['format'] extends 'holdfast:integer' | 'holdfast:seconds' | 'holdfast:milliseconds' | 'holdfast:bytes'
      ? number
      : D['format'] extends 'holdfast:api-tokens'
        ? readonly ApiToken[]
        : D extends { readonly of: infer I extends ItemFormat }
          ? readonly PlainOf<I>[]
          : string
