import { open } from 'node:fs/promises'

/** Makes the names in a folder survive a power cut. Best effort: some file systems cannot. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // Not every file system syncs folders; the file's own syncs still hold.
  }
}
