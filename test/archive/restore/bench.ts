import { createHash } from 'node:crypto'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import { manifestKey, partKey, rootKey, segmentKey, snapshotFolder } from '../../../src/archive/format/names.ts'
import { pack, sha256Hex } from '../../../src/archive/format/packing.ts'
import type { SegmentHead, SnapshotManifest } from '../../../src/archive/format/records.ts'
import { sealSegment } from '../../../src/archive/format/segment.ts'
import { readInventory } from '../../../src/archive/restore/inventory.ts'
import { type RestoreWish, wholeArchive } from '../../../src/archive/restore/plan.ts'
import { type RestoreParts, type RestoreResult, restore } from '../../../src/archive/restore/restorer.ts'
import type { FileProof, FileRebuild, TableProof } from '../../../src/driver/facet/archive.ts'
import { MemoryTarget } from '../../support/memory-target.ts'

/** Changes one byte of an object. */
export function alter({ objects }: MemoryTarget, key: string, at = -1): void {
  const bytes = Uint8Array.from(objects.get(key) ?? [])
  const index = at < 0 ? bytes.length + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 1
  objects.set(key, bytes)
}

/** A file whose rows are its lines. */
export function tablesOf(text: string): readonly TableProof[] {
  const rows = text.split('\n').length - 1
  return [{ table: 'rows', rows, hash: createHash('sha256').update(text).digest('hex') }]
}

/** Rebuilds such a file in memory. */
export class TextRebuild implements FileRebuild {
  text = ''
  isFinished = false
  isAbandoned = false
  /** What `finish` does before it resolves. */
  finishing: () => void | Promise<void> = () => {}

  async write(bytes: Uint8Array): Promise<void> {
    this.text += Buffer.from(bytes).toString()
  }

  async apply(payload: Uint8Array): Promise<void> {
    this.text += Buffer.from(payload).toString()
  }

  async finish(): Promise<FileProof> {
    await this.finishing()
    this.isFinished = true
    return { fileId: 'store', bytes: this.text.length, damage: [], tables: tablesOf(this.text) }
  }

  async abandon(): Promise<void> {
    this.isAbandoned = !this.isFinished
  }
}

/** The time of a segment or snapshot: minutes after the first. */
export function timeOf(minutes: number): string {
  return new Date(Date.UTC(2026, 0, 1) + minutes * 60_000).toISOString()
}

const generations = ['01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000002'] as const

/** Writes an archive as a service would, object by object. */
export class ScriptedArchive {
  readonly target: MemoryTarget = new MemoryTarget()
  number = 0
  hash: string | null = null
  lineage = 'first'
  store = 'store'
  generation: string = generations[0]
  since = 1
  /** Names have the generation. */
  isUnfenced = false
  /** What the file has. */
  text = ''
  #snapshots = 0

  constructor() {
    this.target.objects.set(rootKey, recordBytes({ format: 1, archive: 'archive', store: 'store', madeAt: timeOf(0) }))
  }

  /** The rows of a transaction. */
  async rows(text: string, more: Partial<SegmentHead> = {}): Promise<string> {
    this.text += text
    return await this.segment({ kind: 'pages', ...more }, text)
  }

  async open(more: Partial<SegmentHead> = {}): Promise<string> {
    this.generation = this.generation === generations[0] ? generations[1] : generations[0]
    return await this.segment({ kind: 'open', ...more }, null)
  }

  /** A process that begins without what is there. */
  async newLineage(lineage: string): Promise<string> {
    this.lineage = lineage
    this.store = lineage
    this.since = this.number + 1
    this.text = ''
    return await this.open({ isContiguous: false })
  }

  async segment(more: Partial<SegmentHead>, payload: string | null): Promise<string> {
    this.number += 1
    const { number, lineage, store, generation, since } = this
    const sealed = await sealSegment(
      {
        ...{ kind: 'pages', archive: 'archive', lineage, store, generation, number, since, at: timeOf(number) },
        ...{ previous: this.hash, isContiguous: true, isWhole: true, position: { at: number } },
        ...more,
      },
      payload === null ? null : Buffer.from(payload),
    )
    const key = segmentKey(number, this.isUnfenced ? generation : null)
    this.target.objects.set(key, sealed.bytes)
    this.hash = sealed.hash
    return key
  }

  /** A snapshot of the file as it is, in parts of ten bytes. */
  async snapshot(more: Partial<SnapshotManifest> = {}): Promise<string> {
    this.#snapshots += 1
    const { number, hash: previous, lineage, store, generation, text } = this
    const id = `01900000-0000-7000-8000-${String(this.#snapshots).padStart(12, '0')}`
    const folder = snapshotFolder(number, id)
    const parts: SnapshotManifest['parts'][number][] = []
    for (let at = 0; at < text.length; at += 10) {
      const plain = Buffer.from(text.slice(at, at + 10))
      const packed = await pack(plain)
      this.target.objects.set(partKey(folder, parts.length + 1), packed)
      parts.push({ bytes: plain.length, packedBytes: packed.length, hash: await sha256Hex(packed) })
    }
    const manifest: SnapshotManifest = {
      ...{ format: 1, archive: 'archive', lineage, store, generation, id, number, previous, position: null },
      ...{ at: timeOf(number), bytes: text.length, parts, tables: tablesOf(text), ...more },
    }
    this.target.objects.set(manifestKey(folder), recordBytes(manifest))
    return folder
  }

  /** Restores what is there into text. */
  async restore(
    wish: Partial<RestoreWish> = {},
    more: Partial<RestoreParts> = {},
  ): Promise<RestoreResult & { readonly text: string | null; readonly rebuilds: readonly TextRebuild[] }> {
    const rebuilds: TextRebuild[] = []
    const signal = new AbortController().signal
    const inventory = await readInventory(this.target, signal)
    if (inventory === null) throw new Error('There is no archive.')
    const rebuild = async (): Promise<FileRebuild> => {
      const one = new TextRebuild()
      rebuilds.push(one)
      return one
    }
    const parts = { target: this.target, signal, rebuild, ...more }
    const result = await restore(parts, inventory, { ...wholeArchive, ...wish })
    return { ...result, rebuilds, text: rebuilds.find(({ isFinished }) => isFinished)?.text ?? null }
  }
}
