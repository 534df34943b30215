import { type Layers, layersOfOptions } from '../config/layers.ts'
import { resolveSettings } from '../config/resolve.ts'
import { Secret } from '../config/secret.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import { DriverRegistry } from '../driver/registry.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import type { HoldfastOptions } from './holdfast.ts'
import { layersOf, type Resolved } from './resolve.ts'

/** What is known before the drivers are loaded: enough to answer `status()` and to set limits. */
export function undrivenResolution(options: HoldfastOptions): Resolved {
  const layers = givenLayers(options)
  const resolved = resolveSettings(layers)
  const config = { declared: false, primary: null, fallback: null, problems: [], absence: null }
  const { problems } = resolved
  return { layers, resolved, registry: new DriverRegistry(), config, driverProblems: [], problems }
}

/** The layers behind the settings that code gave. */
export function givenLayers({ settings = {} }: HoldfastOptions): Layers {
  return isResolved(settings) ? layersOf(settings) : layersOfOptions(settings)
}

/** Plain JavaScript may hand over anything: what is no object at all is a problem of the settings, as in a file. */
function isResolved(settings: unknown): settings is ResolvedSettings {
  if (typeof settings !== 'object' || settings === null) return false
  const given = settings as Partial<Record<keyof ResolvedSettings, unknown>> // An object has properties; which, is asked here.
  return typeof given.originOf === 'function' && typeof given.lines === 'function'
}

/** The token that code gave; without one nobody is admin: a library draws none, because it would have to write it down. */
export function givenToken(token: Secret | null): AdminToken {
  if (token !== null) return { token, source: { from: 'setting' }, problems: [] }
  return { token: new Secret(crypto.randomUUID() + crypto.randomUUID()), source: { from: 'memory' }, problems: [] }
}
