import type { Problem } from '../config/problem.ts'
import type { Secret } from '../config/secret.ts'

/** What was declared, before a driver has read it. `parse` finds the rest (data directory, its own settings) in `Settings`. */
export type Address = UrlAddress | PartsAddress

/** The common part of both ways to declare a database. */
export interface AddressRole {
  readonly role: Role
  /** The setting to name in problems: `database.url`. */
  readonly setting: string
  readonly origin: Problem['origin']
  /**
   * Absolute folders in which a relative file may live, in the order to try them. A declared primary has one: it is
   * used where it is declared or not at all.
   */
  readonly folders: readonly string[]
  /**
   * Of a file that Holdfast keeps: whether it is the local store or stands next to a primary. Left out for a primary, and for
   * a fallback's file that a person named: that one is used as it is, for what it says of itself.
   */
  readonly life?: Life
}

/** Declared as a URL, cleaned of quotes and blanks. */
export interface UrlAddress extends AddressRole {
  readonly form: 'url'
  /** Lower case, without colon. */
  readonly scheme: string
  readonly text: Secret
}

/** Declared in parts; the driver is named, the rest may be absent. */
export interface PartsAddress extends AddressRole {
  readonly form: 'parts'
  readonly host: string | null
  readonly port: number | null
  readonly username: string | null
  readonly password: Secret | null
  readonly name: string | null
}

/** Which part a database plays. A fallback is shown as *local* when no primary was ever declared. */
export type Role = 'primary' | 'fallback'

/**
 * What a file of Holdfast's own is for, recorded in it for good: the rows of a `local` store belong to no primary, those of a
 * `fallback` are on their way to one. No file is both.
 */
export type Life = 'local' | 'fallback'

/** A parsed, validated address. A driver's own target extends it; secrets in it are `Secret`. */
export interface Target {
  /** The driver's name. */
  readonly driver: string
  /** The same for two targets exactly when they are the same database; holds no secret. */
  readonly id: string
  /** What may be shown; null where the kind of database has no such thing. */
  readonly host: string | null
  readonly port: number | null
  readonly database: string | null
  readonly user: string | null
  readonly tls: string | null
}

/** The outcome of `parse`. */
export type Parsed<T> =
  | { readonly target: T; readonly problems: readonly Problem[] }
  | { readonly target?: undefined; readonly problems: readonly [Problem, ...Problem[]] }
