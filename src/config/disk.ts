/** What a file of ours would survive. Found by `config/disk.ts`'s `diskOf`, or decided by `DATA_DURABLE`. */
export interface Disk {
  /** `durable`: outlives the container; `ephemeral`: a restart of the container (or a reboot) loses it. */
  readonly kind: 'durable' | 'ephemeral'
  /** The file system's name as far as it is known: `ext4`, `overlay`, `tmpfs`; `unknown` else. */
  readonly fileSystem: string
  /** One sentence for people: how it is known. */
  readonly why: string
}
