import { access, readFile, realpath, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, resolve, sep } from 'node:path'
import { type Mount, mountOf, readMounts } from './mounts.ts'

/** What a file of ours would survive. Found by `config/disk.ts`'s `diskOf`, or decided by `DATA_DURABLE`. */
export interface Disk {
  /** `durable`: outlives the container; `ephemeral`: a restart of the container (or a reboot) loses it. */
  readonly kind: 'durable' | 'ephemeral'
  /** The file system's name as far as it is known: `ext4`, `overlay`, `tmpfs`; `unknown` else. */
  readonly fileSystem: string
  /** One sentence for people: how it is known. */
  readonly why: string
}

/** What is known about the place of a file. */
export interface DiskEvidence {
  readonly fileSystem: string
  /** Null where the system does not say (it is not Linux). */
  readonly mount: Mount | null
  /** What shows that this process is in a container; null: nothing does. */
  readonly container: string | null
  readonly isTemporary: boolean
}

/** The numbers of `statfs` for the file systems that one meets; `mountinfo` names the others. */
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
}

const inMemory: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devtmpfs'])

/**
 * What the disk under `path` survives. The path need not exist: its nearest existing folder counts. `durable`, when it
 * is not null, decides. `inSpace`: the process runs in a Hugging Face Space. Never throws, changes nothing.
 */
export async function diskOf(path: string, durable: boolean | null, inSpace = false): Promise<Disk> {
  const place = await nearestExisting(resolve(path))
  const mounts = await readMounts()
  const mount = mountOf(place, mounts)
  const fileSystem = mount?.fileSystem ?? (await fileSystemOf(place))
  if (durable !== null) {
    return { kind: durable ? 'durable' : 'ephemeral', fileSystem, why: `DATA_DURABLE is ${durable}.` }
  }
  const temporary = await nearestExisting(tmpdir())
  return judgeDisk({
    fileSystem,
    mount,
    container: inSpace ? 'a Hugging Face Space' : await containerSign(mountOf('/', mounts)),
    isTemporary: place === temporary || place.startsWith(temporary + sep),
  })
}

/** The verdict on the evidence. Pure. */
export function judgeDisk({ fileSystem, mount, container, isTemporary }: DiskEvidence): Disk {
  const ephemeral = (why: string): Disk => ({ kind: 'ephemeral', fileSystem, why })
  if (inMemory.has(fileSystem)) return ephemeral(`It is memory (${fileSystem}): a restart empties it.`)
  if (isTemporary) return ephemeral('It is in the temporary directory, which a restart may empty.')
  // A Kubernetes emptyDir is a mount of its own, on the node's disk, and goes with the pod.
  if (mount?.root.includes('kubernetes.io~empty-dir')) {
    return ephemeral('It is an emptyDir of Kubernetes, which goes with the pod.')
  }
  if (container === null) {
    if (fileSystem === 'overlay') return ephemeral('It is an overlay, as containers have, which goes with them.')
    return { kind: 'durable', fileSystem, why: `It is a disk of this machine (${fileSystem}).` }
  }
  if (mount === null || mount.point === '/' || fileSystem === 'overlay') {
    return ephemeral(`It is the own disk of ${container}, which goes with it; mount a volume to keep the data.`)
  }
  return { kind: 'durable', fileSystem, why: `${mount.point} is mounted (${fileSystem}) into ${container}.` }
}

/** What shows that this is a container, as the subject of a sentence; null when nothing does. */
async function containerSign(root: Mount | null): Promise<string | null> {
  if (await isThere('/.dockerenv')) return 'the Docker container'
  if (await isThere('/run/.containerenv')) return 'the Podman container'
  if (await isThere('/var/run/secrets/kubernetes.io')) return 'the Kubernetes pod'
  const groups = await readFile('/proc/1/cgroup', 'utf8').catch(() => '')
  if (/docker|kubepods|containerd|libpod|\/lxc/.test(groups)) return 'the container'
  return root?.fileSystem === 'overlay' ? 'the container' : null
}

/** The real path of `path` or of the nearest folder above it that exists. */
async function nearestExisting(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    const found = await realpath(place).catch(() => null)
    if (found !== null || place === dirname(place)) return found ?? place
  }
}

async function fileSystemOf(path: string): Promise<string> {
  const found = await statfs(path).catch(() => null)
  return (found === null ? undefined : fileSystemNames[found.type]) ?? 'unknown'
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
