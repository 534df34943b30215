import type { Setting } from '../setting.ts'

/** Names in the data model, and common ones for the same, that are not a setting's own: the key that each means. */
export const otherNames = {
  primary_url: 'database.url',
  primary_database_url: 'database.url',
  database_primary_url: 'database.url',
  driver: 'database.driver',
  username: 'database.username',
  user: 'database.username',
  database_user: 'database.username',
  password: 'database.password',
  database_pass: 'database.password',
  database_db: 'database.name',
  echo: 'database.echoSql',
  database_echo: 'database.echoSql',
  fallback_url: 'fallback.url',
  database_fallback_url: 'fallback.url',
  fallback_enabled: 'fallback.enabled',
} as const

const others: ReadonlyMap<string, string> = new Map(Object.entries(otherNames))

/** What the data model has as data and `/status` reports under `database`: nothing that can be set. */
export const statusNames = [
  'isFallbackActive',
  'validationErrors',
  'connectionAttemptsCount',
  'lastConnectionAttempt',
  'activeSessions',
] as const

/** `poolSize`, `pool-size` and `POOL_SIZE` are `pool_size`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase()
}

/** Finds the setting that a flat name means, also below `database` and `fallback`. */
export class FlatNames {
  readonly #keys: ReadonlyMap<string, string>

  constructor(settings: Iterable<readonly [string, Setting]>) {
    const own = [...settings].flatMap(([key, { env }]) => (env === '' ? [] : [[env.toLowerCase(), key] as const]))
    this.#keys = new Map([...others, ...own])
  }

  /** Every flat name in lower case. */
  get all(): Iterable<string> {
    return this.#keys.keys()
  }

  /** The key that the name means in a section (empty: at the top); undefined when it means none there. */
  meaning(name: string, section: string): string | undefined {
    const word = snakeCase(name)
    if (section === '') return this.#keys.get(word)
    if (section !== 'database' && section !== 'fallback') return undefined
    const whole = this.#keys.get(`${section}_${word}`)
    if (whole !== undefined) return whole
    const alone = this.#keys.get(word)
    // The parts of an address are the primary's, wherever the fallback's would stand.
    const isOpen = section === 'database' || word.startsWith('primary_')
    return alone?.startsWith('fallback.') || (isOpen && alone?.startsWith('database.')) ? alone : undefined
  }

  /**
   * The key that an environment variable probably means. Holdfast does not read the variable: another program may own it.
   * Null for a word that other programs use for themselves.
   */
  meaningInEnvironment(name: string): string | null | undefined {
    const word = snakeCase(name)
    if (others.has(word)) return word.includes('_') ? others.get(word) : null
    const [, section = '', rest = ''] = /^(database|fallback)_(.+)$/.exec(word) ?? []
    return section === '' ? undefined : this.meaning(rest, section)
  }
}
