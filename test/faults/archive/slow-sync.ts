/**
 * Loaded before the program (`--import`): `fdatasync` takes SLOW_SYNC_MS, and what it has synced of a `-wal` is written down next
 * to it, so that a power cut can be played: the file is cut to what is sure to be there.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const slowMs = Number(process.env.SLOW_SYNC_MS ?? 'NaN')

/** What the name of a `-wal` ends with where its synced length is kept. */
const keptSuffix = '.synced'

function install(): void {
  const original = fs.fdatasync
  const slow = (descriptor: number, done: (error: NodeJS.ErrnoException | null) => void): void => {
    const path = fs.readlinkSync(`/proc/self/fd/${descriptor}`)
    const { size } = fs.fstatSync(descriptor)
    setTimeout(() => {
      original(descriptor, (error) => {
        if (error === null && path.endsWith('-wal')) fs.writeFileSync(`${path}${keptSuffix}`, String(size))
        done(error)
      })
    }, slowMs)
  }
  Object.assign(fs, { fdatasync: slow })
  syncBuiltinESMExports()
}

if (isMainThread && Number.isFinite(slowMs)) install()
