import { join } from 'node:path'
import { type StartedStore, StartRestore } from '../../../src/archive/restore/start.ts'
import { Archiver } from '../../../src/archive/ship/archiver.ts'
import { archiveFolder } from '../../../src/archive/ship/spool.ts'
import type { ChainHead } from '../../../src/archive/ship/takeover.ts'
import { archiveCredentials, openTarget } from '../../../src/archive/target/config.ts'
import type { ArchiveTarget } from '../../../src/archive/target/target.ts'
import type { ResolvedTarget } from '../../../src/database/address/config.ts'
import { connectionSettingsOf } from '../../../src/database/machine/connection-settings.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import type { Store } from '../../../src/database/store/store.ts'
import type { EmbeddedArchive } from '../../../src/driver/facet/archive.ts'
import { type Resolution, resolveAll } from '../../../src/service/resolve.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

/** A machine: a folder for the data, and one for the archive. */
export class Machine {
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly found: Resolution
  readonly target: ArchiveTarget
  readonly #t: Cleanup

  private constructor(t: Cleanup, dir: string, env: Readonly<Record<string, string>>, found: Resolution) {
    const { place } = found.archive
    if (place === null) throw new Error('The archive cannot be used.')
    this.#t = t
    this.dir = dir
    this.env = env
    this.found = found
    const tools = { clock: systemClock, random: Math.random }
    this.target = openTarget(place, () => archiveCredentials(found.resolved.settings), tools)
  }

  /** `archive`: another machine's folder. */
  static async make(t: Cleanup, archive: string | null = null): Promise<Machine> {
    const dir = await makeTempDir(t, 'machine')
    const url = `file://${archive ?? dir}/archive`
    const env = { DATA_DIR: join(dir, 'data'), ARCHIVE_URL: url, ARCHIVE_INTERVAL: '0.05' }
    return new Machine(t, dir, env, await resolveAll({ env, cwd: dir }))
  }

  get file(): string {
    return join(this.dir, 'data', 'production.db')
  }

  get local(): ResolvedTarget & { readonly archive: EmbeddedArchive<unknown> } {
    const { fallback } = this.found.config
    const archive = fallback?.driver.embedded?.archive
    if (fallback === null || archive === undefined) throw new Error('There is no local store that can be archived.')
    return { ...fallback, archive }
  }

  /** Restores where the file is missing, then opens and archives it, as a service does. */
  async start(): Promise<Running> {
    const { driver, target, archive } = this.local
    const local: StartedStore = {
      driver,
      missing: () => archive.missing(target, 5_000),
      rebuild: (path) => archive.rebuild(path),
    }
    const restore = new StartRestore({
      ...{ target: this.target, clock: systemClock, observe: () => {} },
      settings: () => ({ timeoutMs: 5_000, isRequired: false }),
    })
    const started = await restore.run(local, new AbortController().signal)
    const settings = connectionSettingsOf(this.found.resolved.settings)
    const factory = new DatabaseEngineFactory({ entities: [], settings: () => settings })
    const store = await factory.open(this.local, 'fallback', AbortSignal.timeout(10_000))
    const running = new Running(this, store, restore, started.kind === 'present' ? null : started.head)
    cleanLater(this.#t, () => running.stop())
    return running
  }
}

/** A local store that is open and archived. */
export class Running {
  readonly store: Store
  readonly restore: StartRestore
  readonly archiver: Archiver
  #isStopped = false

  constructor({ target, found }: Machine, store: Store, restore: StartRestore, head: ChainHead | null) {
    const { archive } = store
    if (archive === null) throw new Error('The store cannot be archived.')
    this.store = store
    this.restore = restore
    this.archiver = new Archiver({
      ...{
        target,
        source: archive,
        folder: archiveFolder(archive.path),
        head,
        clock: systemClock,
        random: Math.random,
      },
      settings: () => found.resolved.settings.archive,
      observe: () => {},
    })
    this.archiver.start()
  }

  /** Commits in one transaction, and waits until the archive has it. */
  async write(...words: readonly string[]): Promise<void> {
    await this.store.statements.write('create table if not exists note (id integer primary key, words text) strict', [])
    const rows = words.map(() => '(?)').join(', ')
    await this.store.statements.write(`insert into note (words) values ${rows}`, [...words])
    await until(() => this.archiver.canConfirm, { what: 'a base', withinMs: 15_000 })
    await this.archiver.confirmed()
  }

  async rows(): Promise<readonly unknown[]> {
    const found = await this.store.statements.read('select words from note order by id', [])
    return found.map(({ words }) => words)
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.archiver.close(5_000)
    await this.store.close(1_000)
  }
}
