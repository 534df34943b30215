/** The parts of OpenAPI 3.1 that the documentation uses. The types of the package `openapi-types` take 3.0's parameters for 3.1's. */

/** A JSON Schema of 2020-12. */
export interface Schema {
  readonly $ref?: string
  readonly type?: SchemaType | readonly SchemaType[]
  readonly title?: string
  readonly description?: string
  readonly format?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly allOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
}

type SchemaType = 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array' | 'null'

/** Where a component is found. */
export interface ComponentReference {
  readonly $ref: string
}

/** A parameter of an operation. */
export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'header' | 'path'
  readonly required?: boolean
  readonly description: string
  readonly schema: Schema
}

/** A body or an answer, by its media type. */
export type MediaContent = Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>>

/** A header of an answer. */
export interface Header {
  readonly description: string
  readonly schema: Schema
}

/** An answer of an operation. */
export interface Answer {
  readonly description: string
  readonly headers?: Readonly<Record<string, ComponentReference>>
  readonly content?: MediaContent
}

/** Answers by status. */
export type Answers = Readonly<Record<string, Answer | ComponentReference>>

/** A body that must be sent. */
export interface Body {
  readonly required: true
  readonly content: MediaContent
}

/** How a caller may say who it is: all of one entry. */
export type Security = readonly Readonly<Record<string, readonly string[]>>[]

/** One method of a path. */
export interface PathOperation {
  readonly tags?: readonly string[]
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly ComponentReference[]
  readonly requestBody?: Body
  readonly responses: Answers
  readonly security: Security
}

/** What a path has, by method; `parameters` for all of them. */
export type PathItem = Readonly<Record<string, PathOperation | readonly ComponentReference[]>>

/** A scheme of `security`. */
export type SecurityScheme = Readonly<Record<string, string>>

/** The document. */
export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly parameters: Readonly<Record<string, Parameter>>
    readonly headers: Readonly<Record<string, Header>>
    readonly responses: Readonly<Record<string, Answer>>
    readonly securitySchemes: Readonly<Record<string, SecurityScheme>>
  }
}
