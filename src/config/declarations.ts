/** A driver's own settings, by key: `sync` becomes `plugins.sqlite.sync`. Plain data. */
export type SettingDeclarations = Readonly<Record<string, SettingDeclaration>>

/** One setting of a driver. */
export interface SettingDeclaration {
  readonly doc: string
  /** A list of words, or one of the schema's formats. A plain number of a `duration` is in milliseconds where the key ends in `Ms`, else in seconds. */
  readonly format: readonly string[] | 'string' | 'boolean' | 'natural' | 'duration' | 'bytes'
  /** Null: the setting may be absent. */
  readonly default: string | number | boolean | null
  /** Environment name, in capitals, beginning with the driver's name. */
  readonly env: string
  /** True: it is resolved as a `Secret` and never shown. */
  readonly secret?: boolean
}
