import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type DiskEvidence, diskOf, judgeDisk, mountOf, parseMounts } from '../../src/disk/disk.ts'

const mountinfo = `21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:5 / /dev rw shared:2 - devtmpfs udev rw
36 21 98:0 /volumes/a /data rw,noatime master:1 - xfs /dev/sdb1 rw
37 36 98:1 / /data/my\\040files rw - tmpfs tmpfs rw
38 21 0:44 / /data2 rw - nfs4 host:/x rw
39 21 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/c /cache rw - ext4 /dev/sda1 rw
40 21 0:50 / /bucket rw,nosuid - fuse hf-mount rw
41 21 0:51 / /s3 rw - fuse.s3fs s3fs rw
42 21 0:52 / /share rw - cifs //host/share rw
43 21 0:53 / /host rw - 9p host0 rw
this is no mount`

const mounts = parseMounts(mountinfo)
const container = 'the container'

function evidence(path: string, more: Partial<DiskEvidence> = {}): DiskEvidence {
  const mount = mountOf(path, mounts)
  return { fileSystem: mount?.fileSystem ?? 'unknown', mount, container: null, isTemporary: false, ...more }
}

test('the mount of a path is the deepest one above it, by whole names', () => {
  assert.equal(mountOf('/data/x/y', mounts)?.point, '/data')
  assert.equal(mountOf('/data', mounts)?.point, '/data')
  assert.equal(mountOf('/database', mounts)?.point, '/')
  assert.equal(mountOf('/data2/x', mounts)?.fileSystem, 'nfs4')
  assert.equal(mountOf('/data/my files/x', mounts)?.fileSystem, 'tmpfs')
  assert.equal(mountOf('/x', []), null)
})

const verdicts: readonly [string, DiskEvidence, 'durable' | 'ephemeral'][] = [
  ['a disk of this machine is durable', evidence('/srv'), 'durable'],
  ['memory is ephemeral', evidence('/dev/shm'), 'ephemeral'],
  ['memory mounted for the purpose is ephemeral as well', evidence('/data/my files', { container }), 'ephemeral'],
  ['the temporary directory is ephemeral', evidence('/srv', { isTemporary: true }), 'ephemeral'],
  ["a container's own disk is ephemeral whatever its file system", evidence('/srv', { container }), 'ephemeral'],
  ['a volume mounted into a container is durable', evidence('/data/x', { container }), 'durable'],
  ['an emptyDir goes with its pod', evidence('/cache/x', { container }), 'ephemeral'],
  ['an overlay without a sign of a container is ephemeral', evidence('/srv', { fileSystem: 'overlay' }), 'ephemeral'],
  ['a container of which nothing is known is not trusted', evidence('/srv', { container, mount: null }), 'ephemeral'],
  ['a bucket that is mounted is ephemeral', evidence('/bucket/app.db', { container }), 'ephemeral'],
  ['s3fs is ephemeral, in a container or not', evidence('/s3/x'), 'ephemeral'],
  ['NFS is ephemeral', evidence('/data2/x', { container }), 'ephemeral'],
  ['CIFS is ephemeral', evidence('/share/x', { container }), 'ephemeral'],
  ['9p is ephemeral', evidence('/host/x'), 'ephemeral'],
  ['FUSE without a list of mounts is ephemeral', evidence('/x', { mount: null, fileSystem: 'fuse' }), 'ephemeral'],
]

test('the reason for a mount that may lose what it confirmed names source and file system', () => {
  assert.match(judgeDisk(evidence('/bucket', { container })).why, /hf-mount \(fuse\).*DATA_DURABLE=true/)
  assert.match(judgeDisk(evidence('/data2')).why, /host:\/x \(nfs4\)/)
})

for (const [title, given, kind] of verdicts) {
  test(title, () => {
    const disk = judgeDisk(given)
    assert.equal(disk.kind, kind)
    assert.match(disk.why, /\.$/)
  })
}

test('the disk of a path that is not there yet is that of the nearest folder above it', async () => {
  const path = join(tmpdir(), 'holdfast-is-not-there', 'nor', 'this')
  const disk = await diskOf(path, null)
  assert.equal(disk.kind, 'ephemeral')
  assert.equal(disk.fileSystem, (await diskOf(tmpdir(), null)).fileSystem)
})

test('DATA_DURABLE decides, whatever the disk looks like', async () => {
  assert.equal((await diskOf(tmpdir(), true)).kind, 'durable')
  assert.equal((await diskOf('/', false)).kind, 'ephemeral')
  assert.match((await diskOf('/', false)).why, /DATA_DURABLE/)
})

test("inside a Space the container's own disk is ephemeral", async () => {
  const disk = await diskOf('/', null, true)
  assert.equal(disk.kind, 'ephemeral')
})
