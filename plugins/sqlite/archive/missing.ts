import type { MissingFile } from '../../../src/driver/kit/driver-kit.ts'
import { classify } from '../faults.ts'
import { openChecked } from '../proof/checked.ts'
import { chooseFiles } from '../proof/choice.ts'
import { isServed } from '../proof/open-files.ts'
import { prepareFile, setAside, sizeOf } from '../proof/prepare-file.ts'
import type { FileLocation, JournalMode, SqliteTarget } from '../target.ts'
import { guardWal } from './wal-guard.ts'

/**
 * The file that opening this target would make; null where it would open one that is there. One in a later place is not opened
 * where the first can be used, and does not count. A damaged one is set aside, as opening would.
 *
 * @throws what `classify` reads.
 */
export async function missingFile(target: SqliteTarget, connectMs: number): Promise<MissingFile | null> {
  const { locations } = await chooseFiles(target, connectMs)
  let failure: unknown = null
  for (const location of locations) {
    const { file: path } = location
    try {
      const journalMode = await prepareFile(location, target.journalMode)
      if ((await sizeOf(path)) === 0) return { path, why: 'absent', aside: null }
      // Twice: a disk that fails to read for a moment looks like damage.
      if (await isWhole(location, journalMode, connectMs)) return null
      if (await isWhole(location, journalMode, connectMs)) return null
      return { path, why: 'damaged', aside: await setAside(path) }
    } catch (error) {
      // A locked file is not gone.
      if (classify(error, 'open').kind === 'transient') throw error
      failure ??= error
    }
  }
  throw failure ?? new Error('The address has no file.')
}

/** False for a damaged file. @throws what else keeps it from being opened. */
async function isWhole({ file }: FileLocation, journalMode: JournalMode, connectMs: number): Promise<boolean> {
  if (isServed(file)) return true
  const guard = guardWal(file)
  try {
    guard.guard()
    const { native } = await openChecked(file, journalMode, 'local', AbortSignal.timeout(connectMs))
    guard.guard()
    native.close()
    return true
  } catch (error) {
    if (classify(error, 'open').kind === 'corrupt') return false
    throw error
  } finally {
    guard.release()
  }
}
