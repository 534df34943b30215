import type { Collection } from '../collection/declaration/declaration.ts'
import { type CopyLine, copyLineOf } from '../copy/copy-line.ts'
import { copyTargetOf } from '../copy/whole-copy.ts'
import { openingFault } from '../database/machine/faults.ts'
import type { CopyGlance } from '../driver/facet/copy.ts'
import type { Resolution } from '../service/resolve.ts'

/** What an outage of the primary means at this moment. */
export interface OutageReport {
  /** False: requests get 503 until the primary is back. */
  readonly hasFallback: boolean
  /** The fallback accepts writes. */
  readonly isWritable: boolean
  /** Of each collection. */
  readonly lines: readonly CopyLine[]
}

/**
 * What an outage means, by the settings and by what the file of the fallback knows of its copy; null: no primary is declared.
 * A service may use the file meanwhile. Never rejects.
 */
export async function outageReport(
  found: Resolution,
  collections: readonly Collection[],
  path: string | null,
): Promise<OutageReport | null> {
  const { config, resolved } = found
  const { primary, fallback, declared } = config
  if (!declared) return null
  if (fallback === null) return { hasFallback: false, isWritable: false, lines: [] }
  const isCarried = fallback.driver.journals === true && primary?.driver.replays !== undefined
  const isWritable = resolved.settings.fallback.mode === 'read-write' && (isCarried || primary === null)
  const { embedded } = fallback.driver
  const linesOf = (glance: CopyGlance | null, why: string | null): readonly CopyLine[] =>
    collections.map((one) => {
      const reason = reasonOf(found, one) ?? why
      const known = glance === null || reason !== null ? null : { copy: glance, journal: glance }
      const isSeen = known !== null && known.copy.state(one.name) !== null
      return copyLineOf(known, one.name, copyTargetOf(config), () => reason ?? (isSeen ? null : unseen))
    })
  if (embedded?.glance === undefined)
    return { hasFallback: true, isWritable, lines: linesOf(null, 'the driver of the fallback keeps no copies') }
  try {
    const seen = path === null ? null : await embedded.glance(path, (glance) => linesOf(glance, null))
    return { hasFallback: true, isWritable, lines: seen ?? linesOf(null, null) }
  } catch (error) {
    const { summary } = openingFault(fallback.driver, error)
    const why = `the file cannot be read: ${summary.replace(/\.$/, '')}`
    return { hasFallback: true, isWritable, lines: linesOf(null, why) }
  }
}

/** A service knows more: how large it is, whether it can be read. */
const unseen = 'nothing of it is copied so far; a running service says why in /status'

/** Why a collection is not copied, by the settings; null: nothing keeps it from being. */
function reasonOf({ config, resolved }: Resolution, { copy }: Collection): string | null {
  if (resolved.settings.copies.mode === 'off') return 'COPY is off'
  if (copy === false) return 'its declaration says "copy": false'
  return config.primary === null ? 'the address of the primary cannot be used' : null
}
