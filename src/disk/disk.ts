import { access, readFile, realpath, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, resolve, sep } from 'node:path'

/** The disk of a file, by what its data survives. Detected by `diskOf`, or set by DATA_DURABLE. */
export interface Disk {
  /** `durable`: outlives the container. `ephemeral`: lost when the container restarts, or at a reboot. */
  readonly kind: 'durable' | 'ephemeral'
  /** The file system's name, such as `ext4`, `overlay` or `tmpfs`; `unknown` when it is not known. */
  readonly fileSystem: string
  /** How that is known, as a sentence. */
  readonly why: string
}

/** One line of /proc/self/mountinfo. */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string
  /** The folder within the file system that is mounted; shows a Kubernetes emptyDir. */
  readonly root: string
  /** `ext4`, `overlay`, `tmpfs`, ... */
  readonly fileSystem: string
  /** What is mounted: a device, a server's folder, the name of a program such as `hf-mount`. */
  readonly source: string
}

/** What is known about a file's location. */
export interface DiskEvidence {
  readonly fileSystem: string
  /** Null where the system does not report it: not Linux. */
  readonly mount: Mount | null
  /** The kind of container that this process runs in; null when there is no sign of one. */
  readonly container: string | null
  readonly isTemporary: boolean
}

/** The numbers that `statfs` gives for common file systems; `mountinfo` names the others. */
const fileSystemNames: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlay',
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  26985: 'nfs',
  1702057286: 'fuse',
  801189825: 'zfs',
  4283649346: 'cifs',
  16914839: '9p',
  4266872130: 'smb2',
  20859: 'smb',
  12805120: 'ceph',
  198183888: 'lustre',
}

/** In user space or over a network: a sync may return before anything is stored, and locks hold in one mount at most. */
const remote = /^(?:fuse.*|s3fs|rclone|nfs\d*|cifs|smb.*|9p|v9fs|ceph|lustre|afs|glusterfs|davfs\d*|vboxsf|prl_fs)$/

/** Whether the file system of a `Disk` is in user space or a network's: a sync there may promise what is not so. */
export function isRemoteFileSystem(fileSystem: string): boolean {
  return remote.test(fileSystem)
}

const inMemory: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devtmpfs'])

/**
 * The disk of `path`, which need not exist: its nearest existing folder counts. `durable` decides unless it is null.
 * `inSpace`: the process runs in a Hugging Face Space. Never throws, changes nothing.
 */
export async function diskOf(path: string, durable: boolean | null, inSpace = false): Promise<Disk> {
  const existing = await nearestExisting(resolve(path))
  const mounts = await readMounts()
  const mount = mountOf(existing, mounts)
  const fileSystem = mount?.fileSystem ?? (await fileSystemOf(existing))
  if (durable !== null) {
    return { kind: durable ? 'durable' : 'ephemeral', fileSystem, why: `DATA_DURABLE is ${durable}.` }
  }
  const temporary = await nearestExisting(tmpdir())
  return judgeDisk({
    fileSystem,
    mount,
    container: inSpace ? 'a Hugging Face Space' : await containerSign(mountOf('/', mounts)),
    isTemporary: existing === temporary || existing.startsWith(temporary + sep),
  })
}

/** Why this user cannot write a folder: its owner and what is mounted there, as a part of a sentence. Never throws. */
export async function describeFolder(path: string): Promise<string> {
  const folder = await nearestExisting(resolve(path))
  const found = await stat(folder).catch(() => null)
  const mount = mountOf(folder, await readMounts())
  const owner = found === null ? '' : ` owned by user ${found.uid}, mode ${(found.mode & 0o777).toString(8)}`
  const mounted =
    mount === null || mount.point === '/'
      ? ''
      : `, on the mount of ${mount.source} (${mount.fileSystem}) at ${mount.point}`
  const user = process.getuid?.()
  return `${folder} is${owner}${mounted}${user === undefined ? '' : `; this process is user ${user}`}`
}

/** Judges the evidence. Pure. */
export function judgeDisk({ fileSystem, mount, container, isTemporary }: DiskEvidence): Disk {
  const ephemeral = (why: string): Disk => ({ kind: 'ephemeral', fileSystem, why })
  if (inMemory.has(fileSystem)) return ephemeral(`It is memory (${fileSystem}), which a restart empties.`)
  if (isRemoteFileSystem(fileSystem)) {
    const from = mount === null || mount.source === '' ? '' : ` of ${mount.source}`
    return ephemeral(
      `It is a mount${from} (${fileSystem}), where a write may be reported as stored before it is. Use a disk or volume; set DATA_DURABLE=true if this one keeps its word.`,
    )
  }
  if (isTemporary) return ephemeral('It is in the temporary directory, which a restart may empty.')
  // A Kubernetes emptyDir is a mount of its own on the node's disk, removed with the pod.
  if (mount?.root.includes('kubernetes.io~empty-dir')) {
    return ephemeral('It is a Kubernetes emptyDir, which is removed with the pod.')
  }
  if (container === null) {
    if (fileSystem === 'overlay')
      return ephemeral('It is an overlay file system, as in containers, which is removed with them.')
    return { kind: 'durable', fileSystem, why: `It is a disk of this machine (${fileSystem}).` }
  }
  if (mount === null || mount.point === '/' || fileSystem === 'overlay') {
    return ephemeral(
      `It is the disk of ${container} itself, which is removed with it. Mount a volume to keep the data.`,
    )
  }
  return {
    kind: 'durable',
    fileSystem,
    why: `It is a volume (${fileSystem}) mounted at ${mount.point} in ${container}.`,
  }
}

/** The kind of container, for a sentence; null when there is no sign of one. */
async function containerSign(root: Mount | null): Promise<string | null> {
  if (await isThere('/.dockerenv')) return 'the Docker container'
  if (await isThere('/run/.containerenv')) return 'the Podman container'
  if (await isThere('/var/run/secrets/kubernetes.io')) return 'the Kubernetes pod'
  const groups = await readFile('/proc/1/cgroup', 'utf8').catch(() => '')
  if (/docker|kubepods|containerd|libpod|\/lxc/.test(groups)) return 'the container'
  return root?.fileSystem === 'overlay' ? 'the container' : null
}

/** The real path of `path`, or of the nearest parent that exists. Never rejects. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const found = await realpath(at).catch(() => null)
    if (found !== null || at === dirname(at)) return found ?? at
  }
}

async function fileSystemOf(path: string): Promise<string> {
  const found = await statfs(path).catch(() => null)
  return (found === null ? undefined : fileSystemNames[found.type]) ?? 'unknown'
}

/** Whether anything is at a path, as far as this user can see. Never rejects. */
export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The mounts that this process sees; empty where the system does not list them. Never throws. */
async function readMounts(): Promise<readonly Mount[]> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''))
}

/** Parses the text of mountinfo, without the lines that it cannot parse. Exported for its test. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    // "36 35 98:0 /root /point options optional... - ext4 /dev/sda1 options": the hyphen ends the optional fields.
    const [left = '', right = ''] = line.split(' - ', 2)
    const [, , , root, point] = left.split(' ')
    const [fileSystem, source = ''] = right.split(' ')
    if (root === undefined || point === undefined || !fileSystem) return []
    return [{ point: unescaped(point), root: unescaped(root), fileSystem, source: unescaped(source) }]
  })
}

/** The mount of an absolute real path: the deepest, and of several at one point the last, which covers the others. Exported for its test. */
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
