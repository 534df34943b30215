import { layersOfOptions } from './layers.ts'
import type { Declarations } from './plugin-schema.ts'
import { resolveSettings } from './resolve.ts'
import type { Secret } from './secret.ts'
import type { ResolvedSettings, Settings } from './settings.ts'

/** What code may give: any part of the settings (a secret also as plain text), and the flat names (`database_url`). */
export type SettingsInput = PartsOf<Settings> & { readonly [flatName: string]: unknown }

type PartsOf<T> = { readonly [K in keyof T]?: Given<T[K]> | undefined }
type Given<V> = unknown extends V
  ? V
  : V extends Secret
    ? V | string
    : V extends readonly unknown[] | string | number | boolean | null
      ? V
      : PartsOf<V>

/** Settings given in code, with the same checks as those of files. Reads no file and no environment. Never throws. */
export function settingsFromOptions(options: SettingsInput, declarations?: Declarations): ResolvedSettings {
  return resolveSettings(layersOfOptions(options), declarations)
}
