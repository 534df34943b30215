import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeWorkingDir, startService } from '../../support/process.ts'
import { type Cleanup, type Files, makeTempDir, removeDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { ArchiveJudge, type LookOptions, type ReadRow, type RestoreViolation } from '../history/archive-judge.ts'
import { History } from '../history/history.ts'
import { Actor, adminToken } from '../stage/actor.ts'
import { itemCollection } from '../stage/world.ts'
import type { ArchivePlace } from './place.ts'

/** What the archive's schedules are run with. */
export interface ArchiveStage {
  /** The entry of the process under test (`bundleProgram`). */
  readonly entry: string
}

/** How a service is started. */
export interface ArchivedOptions {
  /** Where another one was; a new folder unless told. */
  readonly dir?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly files?: Files
  /** Whose archive; the world's own unless told. Null: none. */
  readonly place?: ArchivePlace | null
  /** False: does not wait until it answers with rows. */
  readonly isServing?: boolean
}

/** A demand as a header. */
export const archivedDemand = 'durability=archived'

/** A container's first seconds: its process listens, restores and opens. */
const startMs = 40_000

/** Services on disks that do not last, an archive, and all that was asked of them. */
export class ArchiveWorld {
  readonly t: Cleanup
  readonly place: ArchivePlace
  readonly history: History = new History()
  readonly #stage: ArchiveStage
  readonly #judge = new ArchiveJudge()
  readonly #actors: Actor[] = []

  constructor(t: Cleanup, stage: ArchiveStage, place: ArchivePlace) {
    this.t = t
    this.place = place
    this.#stage = stage
  }

  /** Acknowledged writes that restores did not bring back, all of them allowed to be lost. */
  get gone(): number {
    return this.#judge.gone
  }

  async start(options: ArchivedOptions = {}): Promise<Actor> {
    const { env = {}, files = {}, place = this.place, isServing = true } = options
    const dir = options.dir ?? (await makeWorkingDir(this.t))
    const isFirst = !existsSync(join(dir, 'config/collections/item.json'))
    const service = await startService(this.t, {
      cwd: dir,
      files: { ...(isFirst ? ownFiles : {}), ...files },
      args: [this.#stage.entry],
      env: {
        ...environment,
        NODE_COMPILE_CACHE: join(dirname(this.#stage.entry), 'cache'),
        ...place?.env,
        ...env,
      },
    })
    const actor = new Actor(`s${this.#actors.length + 1}`, service, this.history)
    this.#actors.push(actor)
    if (isServing) await this.serves(actor)
    return actor
  }

  /** Waits until it answers with rows. */
  async serves(actor: Actor, withinMs: number = startMs): Promise<void> {
    const look = async (): Promise<boolean> => (await actor.list(1)).status === 200
    await until(look, { withinMs, what: `${actor.name} to serve` })
  }

  /** Waits until a write may demand the archive: there is a base, and the target answers. */
  async archives(actor: Actor, withinMs: number = startMs): Promise<void> {
    const look = async (): Promise<boolean> => (await actor.create({}, archivedDemand)).durability === 'archived'
    await until(look, { withinMs, everyMs: 50, what: `${actor.name} to archive` })
  }

  /** What a new container finds. */
  async emptyDisk({ service: { dir } }: Actor): Promise<void> {
    await removeDir(join(dir, 'data'))
  }

  /** Kills it, empties its disk and starts it again in the same folder. */
  async replace(actor: Actor, options: ArchivedOptions = {}): Promise<Actor> {
    await actor.kill()
    await this.emptyDisk(actor)
    return await this.start({ dir: actor.service.dir, ...options })
  }

  /** Every row that it shows. */
  async rows(actor: Actor): Promise<readonly ReadRow[]> {
    const answer = await actor.service.fetch('/api/item?format=ndjson', { headers: { 'holdfast-token': adminToken } })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`The list was answered ${answer.status}: ${text}`)
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as ReadRow) // Rows of ours.
  }

  /** Judges the rows that it shows by all that was answered so far. */
  async look(actor: Actor, options: LookOptions): Promise<readonly RestoreViolation[]> {
    return this.#judge.look(this.history.writes, await this.rows(actor), options)
  }

  /** The same, for schedules: rejects with what is wrong. */
  async restored(actor: Actor, options: LookOptions = { isRestored: true }): Promise<void> {
    const found = await this.look(actor, options)
    if (found.length > 0) throw new Error(found.map(({ wrong, what }) => `${wrong}: ${what}`).join('\n'))
  }

  /** A copy of a service's data, as a snapshot of its volume; the process has ended. */
  async keepAside({ service: { dir } }: Actor): Promise<string> {
    const aside = join(await makeTempDir(this.t, 'aside'), 'data')
    await rename(join(dir, 'data'), aside)
    return aside
  }

  /** The end of what each service has logged. */
  logs(): string {
    const endOf = ({ name, service }: Actor): string =>
      [`log of ${name}`, ...service.output().split('\n').slice(-25)].join('\n')
    return this.#actors.map(endOf).join('\n')
  }
}

const ownFiles: Files = { 'config/collections/item.json': itemCollection(), 'config/collections/feedback.json': null }

const environment: Readonly<Record<string, string>> = {
  DRIVERS: 'sqlite',
  ADMIN_TOKEN: adminToken,
  RATE_LIMIT: '0',
  DATABASE_BOOT: 'eager',
  DATA_DURABLE: 'false',
  ARCHIVE_INTERVAL: '0.1',
  // Schedules that are about drills have them.
  ARCHIVE_DRILL: '0',
}
