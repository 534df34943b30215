import type { Origin, Problem } from './problem.ts'
import type { Secret } from './secret.ts'

/** The kinds of fault that may lead to the fallback. */
export const faultConditions = [
  'unreachable',
  'lost',
  'auth',
  'configuration',
  'tls',
  'capacity',
  'read-only',
  'unwritable',
  'disk-full',
  'corrupt',
  'transient',
] as const

/** One of the fault kinds that `FALLBACK_CONDITIONS` may name. */
export type FaultCondition = (typeof faultConditions)[number]

/** The primary: an address, or its parts, and how it is used. */
export interface DatabaseSettings {
  /** `DATABASE_URL` as it was given, blanks and all; null when it was not. */
  readonly url: Secret | null
  readonly driver: string | null
  readonly host: string | null
  readonly port: number | null
  readonly username: string | null
  readonly password: Secret | null
  readonly name: string | null
  /** False: the address goes to the driver as it is, without repair or diagnosis. */
  readonly validationEnabled: boolean
  readonly connectionTimeoutS: number
  readonly queryTimeoutS: number
  readonly transactionTimeoutS: number
  readonly poolSize: number
  readonly poolMaxOverflow: number
  readonly echoSql: boolean
  /** Accepted for compatibility; has no meaning in Node. */
  readonly sqliteCheckSameThread: boolean
  readonly boot: 'lazy' | 'eager' | 'required'
  readonly schemaApply: 'additive' | 'none'
}

/** What serves when the primary does not. */
export interface FallbackStrategy {
  readonly url: Secret
  readonly enabled: boolean
  readonly mode: 'read-write' | 'read-only'
  /** How long the primary is tried before the fallback serves. More than 0. */
  readonly timeoutS: number
  /** *Re*tries: 1 + n attempts. */
  readonly maxRetriesPrimary: number
  readonly retryDelayMs: number
  readonly conditions: readonly FaultCondition[]
}

/** Every setting of the core, resolved: each has a usable value, whatever was given. */
export interface Settings {
  readonly database: DatabaseSettings
  readonly fallback: FallbackStrategy
  readonly data: {
    /** Where files live; relative to the working directory. */
    readonly dir: string
    /** Whether that disk outlives the container; null: detected. */
    readonly durable: boolean | null
    /** Absolute folders that SQLite files may be in besides `dir`. */
    readonly sqliteAllowPaths: readonly string[]
  }
  readonly journal: {
    readonly keepS: number
    /** Null: 1 GiB, or half of the free disk when that is less. */
    readonly maxBytes: number | null
  }
  readonly http: {
    readonly port: number
    readonly host: string
    readonly readiness: 'any' | 'primary'
    readonly shutdownTimeoutS: number
    readonly bodyLimitBytes: number
    readonly headerLimitBytes: number
    readonly urlLimitBytes: number
    readonly headersTimeoutS: number
    readonly requestTimeoutS: number
    readonly keepAliveTimeoutS: number
    /** Sockets open at once; beyond, the one that has been silent for longest makes place. */
    readonly maxConnections: number
    /** How many proxies in front are ours: the client is that many places from the right in `X-Forwarded-For`. Null: 1 in a Space, else 0. */
    readonly trustedProxies: number | null
    /** Public creates that one client may make within `rateLimitWindowS`. 0: no limit. */
    readonly rateLimit: number
    readonly rateLimitWindowS: number
    /** Units of work that may wait or run at once; further requests get 503 OVERLOADED. */
    readonly maxActiveSessions: number
  }
  readonly admin: {
    /** Null: drawn at the first start and written to the data directory. */
    readonly token: Secret | null
  }
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
    /** Null: pretty on a terminal, JSON elsewhere. */
    readonly format: 'json' | 'pretty' | null
    /** One line per request. */
    readonly requests: boolean
  }
  /** Plugins, by name or by path. */
  readonly drivers: readonly string[]
  readonly collections: {
    /** Folder of the collection files; relative to the working directory. */
    readonly dir: string
  }
  readonly platform: {
    readonly nodeEnv: string
    /** `SPACE_ID` of Hugging Face; null elsewhere. */
    readonly spaceId: string | null
    readonly spaceHost: string | null
  }
  readonly config: {
    readonly file: string | null
    /** Problems of severity `error` end the process with 2. */
    readonly strict: boolean
  }
  /** Settings that plugins declared: `plugins.sqlite.sync`. Checked by the plugin's own declaration. */
  readonly plugins: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** One line of `holdfast check`: a key, its value as it may be shown, and where it came from. */
export interface SettingLine {
  readonly name: string
  /** Masked where the setting is a secret. */
  readonly value: unknown
  readonly origin: Origin
}

/** Settings with the story of each: what is used, from where, and what was wrong. */
export interface ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  /** Where the value of a key came from; `default` for a key that nobody gave. */
  originOf(key: string): Origin
  /**
   * True when anybody gave the key, even with a value that could not be used: an unreadable `DATABASE_URL_FILE`
   * declares a primary. A settings file that only repeats the default, as `config/default.json` does, does not count.
   */
  isGiven(key: string): boolean
  /** Every setting, masked, in the schema's order. */
  lines(): readonly SettingLine[]
}
