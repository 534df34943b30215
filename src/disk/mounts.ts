import { readFile } from 'node:fs/promises'

/** One line of /proc/self/mountinfo. */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string
  /** The folder within the file system that is mounted; tells a Kubernetes emptyDir. */
  readonly root: string
  /** `ext4`, `overlay`, `tmpfs`, ... */
  readonly fileSystem: string
}

/** What is mounted in this process's world; empty where the system does not say. Never throws. */
export async function readMounts(): Promise<readonly Mount[]> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''))
}

/** Reads the text of mountinfo; a line that it does not understand is left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    // "36 35 98:0 /root /point options optional... - ext4 /dev/sda1 options": the hyphen ends the optional fields.
    const [left = '', right = ''] = line.split(' - ', 2)
    const [, , , root, point] = left.split(' ')
    const [fileSystem] = right.split(' ')
    if (root === undefined || point === undefined || !fileSystem) return []
    return [{ point: unescaped(point), root: unescaped(root), fileSystem }]
  })
}

/** The mount that an absolute real path lies on: the deepest, and of several at one point the last, which covers the others. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let best: Mount | null = null
  for (const mount of mounts) {
    const isAbove = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`)
    if (isAbove && (best === null || mount.point.length >= best.point.length)) best = mount
  }
  return best
}

/** Blanks, tabs, line ends and backslashes are written as octal escapes. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
