import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCodeOf } from '../../config/text-file.ts'

/** The keys of all files below a folder that begin with `prefix` and are behind `after`, in order. Rejects like `readdir`. */
export async function folderKeys(root: string, prefix: string, after: string): Promise<readonly string[]> {
  const keys: string[] = []
  const visit = async (folder: string): Promise<void> => {
    for (const { name, isFolder } of inOrder(await entriesOf(join(root, folder)))) {
      const key = `${folder}${name}`
      if (!isFolder) {
        if (key.startsWith(prefix) && key > after) keys.push(key)
      } else if ((key.startsWith(prefix) || prefix.startsWith(key)) && (key > after || after.startsWith(key))) {
        await visit(key)
      }
    }
  }
  await visit('')
  return keys
}

/** A folder that was removed meanwhile is empty; the root must be there. */
async function entriesOf(path: string): Promise<readonly Dirent[]> {
  return await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (errorCodeOf(error) === 'ENOENT') return []
    throw error
  })
}

/** Files and folders in the order of the keys: a folder's begin with its name and a slash. Partial files have a point. */
function inOrder(entries: readonly Dirent[]): readonly { readonly name: string; readonly isFolder: boolean }[] {
  return entries
    .filter((one) => !one.name.startsWith('.') && (one.isFile() || one.isDirectory()))
    .map((one) => ({ name: one.isDirectory() ? `${one.name}/` : one.name, isFolder: one.isDirectory() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
