import type { ResolvedTarget } from './config.ts'

/** The files that a target may use, in the order to try them; a foreign driver that cannot say uses none that we know. */
export function targetFiles(resolved: ResolvedTarget | null): readonly string[] {
  try {
    return resolved?.driver.embedded?.files(resolved.target) ?? []
  } catch {
    return []
  }
}
