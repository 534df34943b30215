import type { Origin, Problem } from './problem.ts'
import type { otherNames } from './schema/flat-names.ts'
import { coreSchema } from './schema/schema.ts'
import type { Secret } from './secret.ts'
import type { Setting, ValuesOf } from './setting.ts'

/** Every setting, resolved: each has a usable value, whatever was given. */
export interface Settings extends ValuesOf<typeof coreSchema> {
  /** Settings that drivers declared: `plugins.sqlite.sync`. Checked by the driver's own declaration. */
  readonly plugins: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** The primary: its address, or the parts of it, and how it is used. */
export type DatabaseSettings = Settings['database']

/** What serves when the primary does not. */
export type FallbackStrategy = Settings['fallback']

/** One of the kinds of fault that `FALLBACK_CONDITIONS` may name. */
export type FaultCondition = FallbackStrategy['conditions'][number]

/** The kinds of fault that may activate the fallback. */
export const faultConditions: readonly FaultCondition[] = coreSchema.fallback.conditions.of.format

/**
 * The settings that code may pass: any part of the settings (a secret also as plain text), and the flat names (`database_url`,
 * `DATABASE_URL`, `primary_url`). A misspelt name is an error of the compiler.
 */
export type SettingsInput = PartsOf<Settings> & {
  readonly [K in FlatName | Lowercase<FlatName> | keyof typeof otherNames]?: unknown
}

type FlatName = Exclude<EnvOf<typeof coreSchema>, ''>
type EnvOf<S> = { [K in keyof S]: S[K] extends Setting ? S[K]['env'] : EnvOf<S[K]> }[keyof S]

type PartsOf<T> = { readonly [K in keyof T]?: InputOf<T[K]> | undefined }
type InputOf<V> = unknown extends V
  ? V
  : V extends Secret
    ? V | string
    : V extends readonly unknown[] | string | number | boolean | null
      ? V
      : PartsOf<V>

/** One line of `holdfast check`: a key, its value as it may be shown, and where it came from. */
export interface SettingLine {
  readonly name: string
  /** Masked where the setting is a secret. */
  readonly value: unknown
  readonly origin: Origin
}

/** The settings in use, where each came from, and what was wrong. */
export interface ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  /** Where the value of a key came from; `default` for a key that was not given. */
  originOf(key: string): Origin
  /**
   * True when the key was given, even with an unusable value: an unreadable `DATABASE_URL_FILE` declares a primary. A
   * settings file that only repeats the default, as `config/default.json` does, does not count.
   */
  isSet(key: string): boolean
  /** Every setting, masked, in the schema's order. */
  lines(): readonly SettingLine[]
}
