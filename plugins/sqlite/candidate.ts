import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Candidate, Connection, Engine, Limits } from '../../src/driver/driver.ts'
import { type Life, type Problem, type Severity, syncFolder } from '../../src/driver/kit/driver-kit.ts'
import { guardWal, type WalGuard } from './archive/wal-guard.ts'
import { FileEngine } from './engine.ts'
import { classify, damagedError } from './faults.ts'
import { holdFile, isShared } from './journal/owner.ts'
import { requestStatements } from './journal/requests.ts'
import { OpenFile } from './open-file.ts'
import { type Checked, openChecked, openNamed } from './proof/checked.ts'
import { chooseFiles } from './proof/choice.ts'
import { FileConnection } from './proof/file-connection.ts'
import { foreignFile } from './proof/inspect.ts'
import { memoryFile, removeLeftovers } from './proof/memory.ts'
import { isServed } from './proof/open-files.ts'
import { isTrusted, makePrivate, prepareFile, setAside } from './proof/prepare-file.ts'
import { type FileLocation, type JournalMode, maskPath, type SqliteTarget } from './target.ts'

/** The files of a target, in the order to try them. Nothing is open afterwards. @throws what `classify` reads. */
export async function createCandidates(target: SqliteTarget, limits: Limits): Promise<readonly Candidate[]> {
  if (target.isMemory) return [new FileCandidate(target, memoryFile(), 0, [], limits)]
  const { locations, problems } = await chooseFiles(target, limits.connectMs)
  const candidates = locations.map((location, index) => new FileCandidate(target, location, index, problems, limits))
  const home = homes.get(target.locations[0]?.file ?? '')
  return home === undefined ? candidates : candidates.filter((_, index) => target.locations[index]?.file === home)
}

/**
 * In place of which configured file each first one is kept as long as this process lives. It is chosen once: when a file that
 * has served cannot be opened again, one elsewhere would hide its rows.
 */
const homes = new Map<string, string>()

class FileCandidate implements Candidate {
  readonly label: string
  readonly #target: SqliteTarget
  readonly #location: FileLocation
  readonly #index: number
  /** What choosing the file found. */
  readonly #found: readonly Problem[]
  readonly #limits: Limits
  /** What opening found; kept for the ORM that is made afterwards. */
  #journalMode: JournalMode | null = null
  #problems: readonly Problem[] = []
  #life: Life | null
  #users = 0
  /** Of an archived file. */
  #guard: WalGuard | null = null
  #removal: Promise<void> = Promise.resolve()

  constructor(target: SqliteTarget, location: FileLocation, index: number, found: readonly Problem[], limits: Limits) {
    this.label = target.isMemory ? 'sqlite :memory:' : `sqlite ${maskPath(location.file)}`
    this.#target = target
    this.#location = location
    this.#index = index
    this.#found = found
    this.#life = target.life
    this.#limits = limits
  }

  async open(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted()
    const checked = await this.#check(AbortSignal.any([signal, AbortSignal.timeout(this.#limits.connectMs)]))
    const { release } = checked
    this.#users += 1
    return new FileConnection({
      native: checked.native,
      path: this.#location.file,
      isEphemeral: this.#target.isMemory,
      keepsRequests: checked.keepsRequests,
      problems: this.#problems,
      left: () => {
        release()
        return this.#leave()
      },
    })
  }

  engine(): Engine {
    return new FileEngine({
      path: this.#location.file,
      open: () => this.#openFile(),
      echo: this.#limits.echo,
      removed: () => this.#removal,
    })
  }

  async #openFile(): Promise<OpenFile> {
    if (this.#journalMode === null) {
      const checked = await this.#check(AbortSignal.timeout(this.#limits.connectMs))
      checked.native.close()
      checked.release()
    }
    const journalMode = this.#journalMode ?? this.#target.journalMode
    const isAsync = journalMode === 'wal' && (await this.#isAsync())
    const release = this.#hold()
    const file = await OpenFile.open({
      path: this.#location.file,
      journalMode,
      isAsync,
      limits: this.#limits,
      isJournaling: this.#isJournaling,
      isLocal: this.#life === 'local',
      isArchived: this.#target.isArchived && journalMode === 'wal',
      left: () => {
        release()
        void this.#leave()
      },
    }).catch((error: unknown) => {
      release()
      throw error
    })
    this.#users += 1
    const [first] = this.#target.locations
    if (first !== undefined) homes.set(first.file, this.#target.locations[this.#index]?.file ?? first.file)
    return file
  }

  async #isAsync(): Promise<boolean> {
    const { sync } = this.#target
    return sync === 'auto' ? await isTrusted(dirname(this.#location.file)) : sync === 'async'
  }

  get #isJournaling(): boolean {
    return this.#life === 'fallback'
  }

  /** The file is held until the caller releases it. */
  async #check(signal: AbortSignal): Promise<Checked & { readonly release: () => void }> {
    const { file } = this.#location
    if (this.#target.isMemory && !isServed(file)) await removeLeftovers()
    if (this.#target.isNamed) return await this.#checkNamed(signal)
    const mode = await prepareFile(this.#location, this.#target.journalMode)
    const release = this.#hold()
    try {
      const checked = await this.#openWhole(mode, signal)
      this.#journalMode = checked.journalMode
      await syncFolder(dirname(file))
      return { ...checked, release }
    } catch (error) {
      release()
      throw error
    }
  }

  async #checkNamed(signal: AbortSignal): Promise<Checked & { readonly release: () => void }> {
    const checked = await openNamed(this.#location.file, this.#target.journalMode, signal)
    this.#life = checked.life
    this.#journalMode = checked.journalMode
    this.#problems = this.#remarks(checked)
    try {
      return { ...checked, release: this.#hold() }
    } catch (error) {
      // What waits in a journal can be listed while the service has it.
      if (isShared(error)) {
        this.#life = null
        return { ...checked, release: () => {} }
      }
      checked.native.close()
      throw error
    }
  }

  /** Keeps other processes from a journaling file, and the WAL of an archived one from whoever closes it last. */
  #hold(): () => void {
    if (this.#target.isArchived) return this.#holdWal()
    return this.#isJournaling ? holdFile(this.#location.file) : () => {}
  }

  #holdWal(): () => void {
    const guard = guardWal(this.#location.file)
    guard.guard()
    this.#guard = guard
    return () => guard.release()
  }

  /** A damaged file is replaced, where that is allowed. */
  async #openWhole(mode: JournalMode, signal: AbortSignal): Promise<Checked> {
    const { file } = this.#location
    const { life, mayMakeTables } = this.#target
    // A file that was set aside is still reported when the same candidate opens again.
    const kept = this.#problems.filter((problem) => problem.code === 'SQLITE_SET_ASIDE')
    const open = async (): Promise<Checked> => {
      if (life === 'fallback') await makePrivate(file)
      return await openChecked(file, mode, life, signal, mayMakeTables)
    }
    let checked: Checked
    try {
      checked = await open()
    } catch (error) {
      if (!this.#mayReplace(error)) throw error
      // The rows are in the archive: the next opening begins with a restore. Neither here nor elsewhere is an empty file made.
      if (this.#target.isArchived) throw damagedError(error)
      this.#guard?.leave()
      const aside = maskPath(await setAside(file))
      const message = `${maskPath(file)} was damaged, or not a database. It was moved to ${aside}, and a new file was created.`
      const remedy = this.#isJournaling
        ? `Changes in it that the primary lacks are carried only by the command: holdfast replay ${aside}`
        : `Check ${aside} for its contents.`
      kept.push(this.#problem('SQLITE_SET_ASIDE', 'warning', message, remedy))
      checked = await open()
    }
    this.#guard?.guard()
    this.#problems = [...kept, ...this.#found, ...this.#remarks(checked)]
    return checked
  }

  /** A declared primary belongs to the user: it is never moved. */
  #mayReplace(error: unknown): boolean {
    if (this.#target.role === 'primary' || isServed(this.#location.file)) return false
    return classify(error, 'open').kind === 'corrupt'
  }

  #remarks(checked: Checked): readonly Problem[] {
    const { file } = this.#location
    const remarks: Problem[] = []
    if (this.#index > 0) {
      const message = `The configured file cannot be used; ${maskPath(file)} is used instead.`
      remarks.push(
        this.#problem(
          'SQLITE_OTHER_FILE',
          'error',
          message,
          'Make the configured folder writable, then restart the service.',
        ),
      )
    }
    if (checked.journalMode === 'delete' && this.#target.journalMode === 'wal') {
      const message = 'No shared memory, or no space, for a WAL: using a rollback journal, which is slower.'
      remarks.push(
        this.#problem('SQLITE_NO_WAL', 'info', message, 'Use a local disk with free space for the data directory.'),
      )
    }
    if (!checked.keepsRequests && !this.#target.mayMakeTables) {
      const message = 'The table of requests with an Idempotency-Key is missing: such requests get 503.'
      remarks.push(
        this.#problem('SQLITE_NO_REQUESTS', 'info', message, `Run in the file: ${requestStatements.join('; ')}`),
      )
    }
    if (checked.isForeign) {
      remarks.push(this.#problem('SQLITE_FOREIGN_FILE', 'warning', ...foreignFile))
    }
    return remarks
  }

  #problem(code: string, severity: Severity, message: string, suggestion: string): Problem {
    const { setting, origin } = this.#target
    return { code, severity, setting, origin, part: 'path', message, suggestion }
  }

  /** The last user of a file in memory removes it. */
  #leave(): Promise<void> {
    this.#users -= 1
    if (this.#users > 0 || !this.#target.isMemory) return Promise.resolve()
    this.#journalMode = null
    this.#removal = rm(this.#location.root, { recursive: true, force: true }).catch(() => {})
    return this.#removal
  }
}
