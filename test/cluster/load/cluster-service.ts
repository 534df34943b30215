import { makeWorkingDir, type Service, startEnvironment, startService } from '../../support/process.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { Asking } from './asking.ts'

/** The collection that the clients write. */
export const item = {
  name: 'item',
  fields: { token: { type: 'string', maxLength: 100 }, value: { type: 'integer', default: 0 } },
  required: ['token'],
} as const

const adminToken = 'an-admin-token-of-some-length'

/** What `/status` has of the database; as `src/http/status` writes it. */
interface DatabaseStatus {
  readonly state: string
  readonly journal?: { readonly transactions: number } | null
}

/** One Holdfast with a fallback of its own, as users run it: the build, with every setting at its default. */
export class ClusterService {
  readonly number: number
  readonly asking: Asking
  readonly #service: Service

  private constructor(number: number, service: Service) {
    this.number = number
    this.#service = service
    this.asking = new Asking(service.port, adminToken)
  }

  static async start(t: Cleanup, number: number, address: string): Promise<ClusterService> {
    const service = await startService(t, {
      cwd: await makeWorkingDir(t),
      files: { 'config/collections/item.json': JSON.stringify(item), 'config/collections/feedback.json': null },
      env: { ...startEnvironment, DATABASE_URL: address, ADMIN_TOKEN: adminToken, DATABASE_BOOT: 'eager' },
    })
    return new ClusterService(number, service)
  }

  get pid(): number {
    return this.#service.pid
  }

  async status(): Promise<DatabaseStatus & Readonly<Record<string, unknown>>> {
    const { body } = await this.asking.send('GET', '/status')
    if (body === null) throw new Error(`service ${this.number} does not answer`)
    return body.database as DatabaseStatus & Readonly<Record<string, unknown>> // Ours.
  }

  /** Resolves when it serves from the primary and owes it nothing; rejects after the limit with what it says. */
  async settled(withinMs: number): Promise<void> {
    const isSettled = async (): Promise<boolean> => {
      const { state, journal } = await this.status()
      return state === 'PRIMARY_CONNECTED' && (journal?.transactions ?? 0) === 0
    }
    await until(isSettled, { withinMs, everyMs: 100, what: `service ${this.number} to be settled` })
  }

  /** How often each code stands in the log, of problems and faults. */
  logged(code: string): number {
    return this.#service.log().filter((line) => JSON.stringify(line).includes(`"${code}"`)).length
  }

  /** How many acknowledged writes it has said that the primary lacks. */
  missingSaid(): number {
    const lines = this.#service.log().filter(({ event }) => event === 'primary.went-back')
    return lines.reduce((sum, { missing }) => sum + (typeof missing === 'number' ? missing : 0), 0)
  }

  output(): string {
    return this.#service.output()
  }

  async end(): Promise<void> {
    this.asking.end()
    await this.#service.end('SIGTERM').catch(() => undefined)
  }
}
