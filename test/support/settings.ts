import type { Declarations } from '../../src/config/driver-settings.ts'
import { layersOfOptions } from '../../src/config/layers.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import type { ResolvedSettings, SettingsInput } from '../../src/config/settings.ts'

/** Settings given in code, as the library resolves them. Reads no file and no environment. */
export function settingsFromOptions(options: SettingsInput, declarations?: Declarations): ResolvedSettings {
  return resolveSettings(layersOfOptions(options), declarations)
}
