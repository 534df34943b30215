import type { Entry } from '../../driver/facet/journal.ts'
import { archiveFormat, entriesAddressKey, entriesFolder } from '../format/names.ts'
import type { ArchiveTarget } from '../target/target.ts'
import {
  type EntriesAddress,
  type EntriesHead,
  type NamedEntries,
  namedEntries,
  readEntries,
  readEntriesAddress,
} from './format.ts'
import type { KeptEntries } from './kept.ts'
import { entriesDamaged, entriesNewer } from './problems.ts'

/** The folder of a process. */
export interface EntriesFolder {
  readonly process: string
  readonly objects: readonly NamedEntries[]
  readonly hasAddress: boolean
}

/** Objects whose entries are carried together: whole local transactions. Without entries: they were carried before. */
export interface EntriesGroup {
  /** The id of the file that they are of. */
  readonly file: string
  readonly entries: readonly Entry[]
  /** In the order in which they must be removed: what lacks its first part was carried. */
  readonly keys: readonly string[]
}

/** Which primary the entries without an address are for. */
type Address = EntriesAddress | 'unknown' | 'unreadable'

/** What other processes left, oldest first: the name is a UUIDv7. */
export async function listFolders(
  target: ArchiveTarget,
  isOwn: (process: string) => boolean,
  signal: AbortSignal,
): Promise<readonly EntriesFolder[]> {
  const objects: NamedEntries[] = []
  const addresses = new Set<string>()
  for await (const page of target.list(`${entriesFolder}/`, undefined, signal)) {
    for (const { key } of page) {
      const named = namedEntries(key)
      if (named === null) addresses.add(key)
      else if (!isOwn(named.process)) objects.push(named)
    }
  }
  return [...Map.groupBy(objects, ({ process }) => process)].map(([process, found]) => ({
    process,
    objects: found,
    hasAddress: addresses.has(entriesAddressKey(process)),
  }))
}

/** Reads the folder of a process, in order, for one primary. */
export class FolderReader {
  readonly #target: ArchiveTarget
  readonly #folder: EntriesFolder
  readonly #identity: string
  readonly #kept: KeptEntries
  #address: Address = 'unknown'
  /** The parts of a transaction that were read so far. */
  #parts: { readonly key: string; readonly head: EntriesHead; readonly entries: readonly Entry[] }[] = []
  /** An object before was damaged: what lacks its first part may be of that one. */
  #isBroken = false
  #left = 0

  /** What stays is noted in `kept`. */
  constructor(target: ArchiveTarget, folder: EntriesFolder, identity: string, kept: KeptEntries) {
    this.#target = target
    this.#folder = folder
    this.#identity = identity
    this.#kept = kept
  }

  /** How many objects stay, after `groups`. */
  get left(): number {
    return this.#left
  }

  /** What is for the primary. Rejects with a `TargetError`, or the signal's reason. */
  async *groups(signal: AbortSignal): AsyncGenerator<EntriesGroup> {
    const { process, objects, hasAddress } = this.#folder
    if (hasAddress) this.#address = await this.#readAddress(entriesAddressKey(process), signal)
    for (const named of objects) {
      const body = await this.#target.get(named.key, signal)
      // Another process has carried it meanwhile.
      if (body === null) continue
      const group = this.#add(named, body)
      if (group !== null) yield group
    }
    this.#leaveParts()
  }

  #add(named: NamedEntries, body: Uint8Array): EntriesGroup | null {
    const { label } = this.#target
    const read = readEntries(named, body)
    if (read.is !== 'read') {
      const isNewer = read.is === 'newer'
      this.#kept.add(isNewer ? entriesNewer(label, named.key, read.format) : entriesDamaged(label, named.key, read.why))
      this.#isBroken = true
      this.#left += 1
      return null
    }
    const { head, entries } = read
    if (!this.#isForUs(head)) {
      this.#left += 1
      return null
    }
    if (head.part === 1) {
      this.#leaveParts()
      this.#isBroken = false
    }
    const isNext = this.#parts.length === head.part - 1 && (this.#parts[0]?.head.whole ?? head.whole) === head.whole
    if (!isNext) {
      if (this.#parts.length === 0 && !this.#isBroken) return { file: head.file, entries: [], keys: [named.key] }
      this.#leaveParts()
      this.#left += 1
      this.#isBroken = true
      return null
    }
    this.#parts.push({ key: named.key, head, entries })
    return head.part === head.parts ? this.#takeParts(head.file) : null
  }

  #takeParts(file: string): EntriesGroup {
    const parts = this.#parts
    this.#parts = []
    return { file, entries: parts.flatMap(({ entries }) => entries), keys: parts.map(({ key }) => key) }
  }

  /** Parts of a transaction of which others are missing: half of it must not be carried. */
  #leaveParts(): void {
    const [first] = this.#parts
    this.#left += this.#parts.length
    this.#parts = []
    if (first === undefined) return
    const why = `It is a part of a transaction of which others are missing: there are to be ${first.head.parts}.`
    this.#kept.add(entriesDamaged(this.#target.label, first.key, why))
  }

  #isForUs({ identity, label, entries }: EntriesHead): boolean {
    const own = identity === null ? this.#address : { identity, label }
    // For the first primary that is reached: this one.
    if (own === 'unknown') return true
    if (own === 'unreadable' || own.identity === this.#identity) return own !== 'unreadable'
    this.#kept.elsewhere(own.identity, own.label, entries)
    return false
  }

  async #readAddress(key: string, signal: AbortSignal): Promise<Address> {
    const { label } = this.#target
    const body = await this.#target.get(key, signal)
    if (body === null) return 'unknown'
    const address = readEntriesAddress(body)
    if (address !== null && address.format <= archiveFormat) return address
    const isNewer = address !== null
    this.#kept.add(
      isNewer ? entriesNewer(label, key, address.format) : entriesDamaged(label, key, 'It names no primary.'),
    )
    return 'unreadable'
  }
}
