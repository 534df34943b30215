import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ArchivePosition, Cut } from '../../../src/driver/facet/archive.ts'
import { Kept } from './archive-store.ts'

/** A folder in which an archiver's process keeps what it cuts: whole files by rename, so that a kill leaves no part of one. */
export class KeptFolder {
  readonly #folder: string
  #number: number

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
    this.#number = Math.max(0, ...readdirSync(folder).map((name) => Number(/\d+/.exec(name)?.[0] ?? 0)))
  }

  /** Where the next snapshot is to be made. */
  get draft(): string {
    return join(this.#folder, 'draft')
  }

  readonly keep = async (rest: readonly Cut[]): Promise<void> => {
    for (const { payload, position, isWhole } of rest) {
      this.#put('cut', Buffer.concat([Buffer.from(`${JSON.stringify({ position, isWhole })}\n`), payload]))
    }
  }

  at(position: ArchivePosition): void {
    this.#put('position', Buffer.from(JSON.stringify(position)))
  }

  /** The draft is the base of what follows. */
  base(position: ArchivePosition): void {
    this.#number += 1
    renameSync(this.draft, join(this.#folder, `${this.#number}.base`))
    this.at(position)
  }

  #put(kind: string, bytes: Uint8Array): void {
    const draft = join(this.#folder, 'part')
    writeFileSync(draft, bytes, { flush: true })
    this.#number += 1
    renameSync(draft, join(this.#folder, `${this.#number}.${kind}`))
  }

  /** What is there, from the newest snapshot on. */
  read(): Kept {
    const kept = new Kept()
    const names = readdirSync(this.#folder).filter((name) => /^\d/.test(name))
    for (const name of names.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))) {
      const bytes = readFileSync(join(this.#folder, name))
      if (name.endsWith('.base')) {
        kept.base = bytes
        kept.cuts = []
      } else if (name.endsWith('.position')) kept.position = JSON.parse(bytes.toString('utf8'))
      else {
        const end = bytes.indexOf(10)
        kept.add({ ...JSON.parse(bytes.toString('utf8', 0, end)), payload: bytes.subarray(end + 1) })
      }
    }
    return kept
  }
}
