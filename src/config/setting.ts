import type { Format } from './format.ts'
import type { Secret } from './secret.ts'

/** The declaration of one setting. */
export interface Setting<V = unknown> {
  readonly doc: string
  readonly format: Format<V>
  readonly default: V
  /** The environment variable that gives it. */
  readonly env: string
  /** True: resolved as a `Secret`, never shown. */
  readonly secret: boolean
  /** True for a secret that is the address of a database: all of it but its password may be known. */
  readonly isAddress: boolean
  /** True: a file cannot give it, because it decides which files are read or what the platform is. */
  readonly environmentOnly: boolean
  /** Why giving it changes nothing, for a setting that is taken for compatibility only. */
  readonly inert: string | null
}

/** What a setting of this type is while it is read: a secret is still plain text. */
type Plain<V> = V extends Secret<infer T> ? T : V
type Value = string | number | boolean | null | Secret | readonly unknown[]

/** One declaration for each value of `S`: a setting that is missing here, or has another type, does not compile. */
export type SchemaOf<S> = {
  readonly [K in keyof S]: S[K] extends Value ? Setting<Plain<S[K]>> : SchemaOf<S[K]>
}

/** Declares a setting. */
export function setting<V>(env: string, format: Format<V>, fallback: NoInfer<V>, doc: string): Setting<V> {
  return { doc, format, default: fallback, env, secret: false, isAddress: false, environmentOnly: false, inert: null }
}

/** Declares a setting that must not be seen. */
export function secret<V>(env: string, format: Format<V>, fallback: NoInfer<V>, doc: string): Setting<V> {
  return { ...setting<V>(env, format, fallback, doc), secret: true }
}

/** Declares the address of a database, which holds a password somewhere in its middle. */
export function secretAddress<V>(env: string, format: Format<V>, fallback: NoInfer<V>, doc: string): Setting<V> {
  return { ...secret<V>(env, format, fallback, doc), isAddress: true }
}
