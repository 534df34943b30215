import type { History } from '../history/history.ts'
import type { Actor, Answer, Written } from '../stage/actor.ts'
import type { Random } from './random.ts'
import type { Replica } from './replica.ts'
import type { Shared } from './shared.ts'
import type { Tally } from './tally.ts'

/** What a client works with. */
export interface ClientParts {
  readonly replica: Replica
  readonly history: History
  readonly random: Random
  readonly tally: Tally
  readonly shared: Shared
  readonly everyMs: number
}

/** A row that one client alone writes, so that it knows what each answer has to be. */
interface OwnRow {
  readonly id: string
  /** Tokens that it may have: several after a change whose outcome is unknown, which may still come. */
  tokens: Set<string>
  /** The attempt that it names; null after such a change. */
  attempt: string | null
  /** The process that was asked for its last change, and when that was answered. */
  by: string
  changedMs: number
  isUncertain: boolean
  mayBeGone: boolean
  isGone: boolean
}

const certain = { isUncertain: false, mayBeGone: false, isGone: false } as const

/** Rows that one client goes on working with. */
const keptRows = 40

/** Sends one request after another: creates, changes with and without If-Match, deletes, reads. */
export class LoadClient {
  readonly #parts: ClientParts
  #rows: OwnRow[] = []
  #isOver = false

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  async run(): Promise<void> {
    const { everyMs, random, history } = this.#parts
    while (!this.#isOver) {
      await pause(everyMs * (0.5 + random.next()))
      // An answer that cannot be read; a connection that breaks belongs to a process that was killed.
      await this.#step().catch((error: Error) => {
        if (error.message !== 'fetch failed') history.contradict(String(error.stack))
      })
      if (this.#rows.length > keptRows) this.#rows = this.#rows.toSpliced(random.between(0, keptRows), 1)
    }
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const { random, shared } = this.#parts
    const row = this.#rows[random.between(0, this.#rows.length - 1)]
    const dice = random.next()
    if (dice < 0.1) await this.#list()
    else if (dice < 0.2) await this.#changeShared(shared.pick(random))
    else if (row === undefined || dice < 0.42) await this.#create()
    else if (dice < 0.62) await this.#get(row)
    else if (dice < 0.88) await this.#change(row)
    else await this.#remove(row)
  }

  async #create(): Promise<void> {
    const { replica, random, tally, shared } = this.#parts
    // Few keys: some are taken in the primary meanwhile, and park what was taken here.
    const slug = random.next() < 0.15 ? `slug-${random.between(1, 60)}` : null
    const { write, attempt, status } = await tally.measure('POST', replica.actor.create({ slug }))
    const [id] = write.ids
    if (status !== 201 || id === undefined) return
    if (slug !== null || random.next() < 0.1) shared.add(id)
    else
      this.#rows.push({
        ...{ id, tokens: new Set([write.token]), attempt, by: write.client, changedMs: write.endedMs ?? 0 },
        ...certain,
      })
  }

  async #get(row: OwnRow): Promise<void> {
    const { replica, tally } = this.#parts
    const { actor } = replica
    const answer = await tally.measure('GET', actor.get(row.id))
    const { status, body, side } = answer
    if (mayBeOlder(answer, row, actor)) return
    if (status === 404) this.#missed(row, 'read')
    if (status !== 200) return
    if (row.isGone) this.#contradict(`row ${row.id} was deleted and is read from the ${side}`)
    const token = String(body?.token)
    if (!row.tokens.has(token)) {
      this.#contradict(`row ${row.id} reads ${token} from the ${side}, not ${[...row.tokens].join(' or ')}`)
    }
  }

  async #change(row: OwnRow): Promise<void> {
    const { replica, random, tally } = this.#parts
    const base = random.next() < 0.4 ? row.attempt : null
    const { actor } = replica
    const answer = await tally.measure('PATCH', actor.change(row.id, { base, seen: row.attempt }))
    const isOlder = mayBeOlder(answer, row, actor)
    // A change of an older version parks when it is carried, and then never was.
    if (isOlder) row.isUncertain = true
    if (!isOlder || answer.status !== 404) this.#note(row, answer)
    if (answer.status === 412 && !row.isUncertain) {
      this.#contradict(`row ${row.id} was refused with 412 although nobody else changes it (${answer.side})`)
    }
  }

  #note(row: OwnRow, { status, attempt, write }: Written): void {
    if (write.ending !== 'refused') Object.assign(row, { by: write.client, changedMs: write.endedMs ?? Date.now() })
    if (write.ending === 'acknowledged') {
      row.tokens = new Set(row.isUncertain ? [...row.tokens, write.token] : [write.token])
      row.attempt = row.isUncertain ? null : attempt
    } else if (write.ending === 'unknown') {
      row.tokens.add(write.token)
      row.attempt = null
      row.isUncertain = true
    } else if (status === 404) this.#missed(row, 'changed')
  }

  async #remove(row: OwnRow): Promise<void> {
    const { replica, random, tally } = this.#parts
    const base = random.next() < 0.3 ? row.attempt : null
    const { actor } = replica
    const answer = await tally.measure('DELETE', actor.remove(row.id, base))
    const { status, write } = answer
    const isOlder = mayBeOlder(answer, row, actor)
    if (write.ending === 'acknowledged' && !isOlder) row.isGone = true
    else if (write.ending !== 'refused') row.mayBeGone = true
    else if (status === 404 && !isOlder) this.#missed(row, 'deleted')
    if (write.ending !== 'refused') Object.assign(row, { by: write.client, changedMs: write.endedMs ?? Date.now() })
    // A deleted row is still asked for a few times: it must not come back.
    if (row.mayBeGone || (row.isGone && random.next() < 0.7)) this.#rows = this.#rows.filter((one) => one !== row)
  }

  #missed(row: OwnRow, what: string): void {
    if (!row.mayBeGone && !row.isGone) this.#contradict(`row ${row.id} could not be ${what}: 404`)
  }

  /** Other clients change it, too, on other replicas and by SQL. */
  async #changeShared(id: string | null): Promise<void> {
    const { replica, random, tally } = this.#parts
    if (id === null) return
    const { status, attempt } = await tally.measure('GET', replica.actor.get(id))
    if (status !== 200) return
    const base = random.next() < 0.6 ? attempt : null
    await tally.measure('PATCH', replica.actor.change(id, { base }))
  }

  async #list(): Promise<void> {
    const { replica, tally, shared } = this.#parts
    const { status, body, asOfMs } = await tally.measure('GET', replica.actor.list())
    // Rows of a copy may be from different moments.
    if (status !== 200 || asOfMs !== null) return
    const items = body?.items
    if (!Array.isArray(items)) this.#contradict('a list without items')
    else shared.saw(items, body?.next !== null)
  }

  #contradict(what: string): void {
    this.#parts.history.contradict(`${new Date().toISOString()} ${this.#parts.replica.actor.name}: ${what}`)
  }
}

/** Whether an answer is from a copy that is older than the last change of the row, which another process had taken. */
function mayBeOlder({ asOfMs }: Answer, { by, changedMs }: OwnRow, { name }: Actor): boolean {
  return asOfMs !== null && name !== by && asOfMs < changedMs
}

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
