import type { Inspection } from '../../driver/driver.ts'
import { type ResolvedTarget, targetFiles } from '../address/config.ts'

/** A network disk may hang. */
const withinMs = 5_000

/**
 * What the driver finds by inspecting the files of an address, within a limit. Changes nothing. A driver that fails to inspect finds
 * nothing. Never rejects.
 */
export async function inspectTarget({ driver, target }: ResolvedTarget): Promise<Inspection> {
  const unseen = { problems: [], path: targetFiles({ driver, target })[0] ?? null }
  if (driver.inspect === undefined) return unseen
  const { promise: late, resolve } = Promise.withResolvers<Inspection>()
  const timer = setTimeout(() => resolve(unseen), withinMs)
  try {
    return await Promise.race([driver.inspect(target), late])
  } catch {
    return unseen
  } finally {
    clearTimeout(timer)
  }
}
