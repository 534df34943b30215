import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the names in a folder survive a power cut. Best effort: some file systems cannot. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // Not every file system syncs folders; the file's own syncs still hold.
  }
}

/** The folder itself, or the nearest one above it that is there. */
export async function nearestExisting(folder: string): Promise<string> {
  let path = folder
  while (path !== dirname(path)) {
    if ((await stat(path).catch(() => null)) !== null) return path
    path = dirname(path)
  }
  return path
}
