import { address, choice, flag, list, optional, text, token, verbatim, word } from './format.ts'
import { bytes, milliseconds, seconds, whole } from './quantity.ts'
import { type SchemaOf, secret, secretAddress, setting } from './setting.ts'
import { faultConditions, type Settings } from './settings.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const dayS = 86_400

/**
 * A name that can only mean a plain file in `config/`; `schema` is there for editors and holds no settings.
 * Anchored, without dots and separators: it becomes part of a path.
 */
const environmentName = /^(?!schema$)[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** Every setting of the core: what it means, what it takes, its safe default, its environment name, whether it is secret. */
export const coreSchema: SchemaOf<Omit<Settings, 'plugins'>> = {
  database: {
    url: secretAddress('DATABASE_URL', optional(address()), null, 'The primary database, as one address.'),
    driver: setting(
      'DATABASE_DRIVER',
      optional(text("a driver's name")),
      null,
      'The driver of a primary that is given in parts; beside an address, which driver is to read it.',
    ),
    host: setting(
      'DATABASE_HOST',
      optional(text('a host name or address')),
      null,
      'Host of a primary that is given in parts.',
    ),
    port: setting(
      'DATABASE_PORT',
      optional(whole({ min: 1, max: 65_535 })),
      null,
      'Port of a primary that is given in parts.',
    ),
    username: setting(
      'DATABASE_USERNAME',
      optional(text('a user name')),
      null,
      'User of a primary that is given in parts.',
    ),
    password: secret('DATABASE_PASSWORD', optional(verbatim()), null, 'Password of a primary that is given in parts.'),
    name: setting(
      'DATABASE_NAME',
      optional(text('the name of a database')),
      null,
      'Database (or file) of a primary that is given in parts.',
    ),
    validationEnabled: setting(
      'DATABASE_VALIDATION_ENABLED',
      flag(),
      true,
      'False: the address goes to the driver as it is, without repairs or diagnosis.',
    ),
    connectionTimeoutS: setting(
      'CONNECTION_TIMEOUT',
      seconds({ min: 0.1, max: 300 }),
      30,
      'One connection attempt; also cut by what is left of FALLBACK_TIMEOUT.',
    ),
    queryTimeoutS: setting(
      'QUERY_TIMEOUT',
      seconds({ min: 0.05, max: 300 }),
      5,
      'One statement; past it the caller is freed and the connection evicted.',
    ),
    transactionTimeoutS: setting(
      'TRANSACTION_TIMEOUT',
      seconds({ min: 1, max: 3600 }),
      30,
      'How long a write transaction may be idle at the server.',
    ),
    poolSize: setting('POOL_SIZE', whole({ min: 1, max: 1000 }), 5, 'Connections that are kept open.'),
    poolMaxOverflow: setting(
      'POOL_MAX_OVERFLOW',
      whole({ min: 0, max: 1000 }),
      10,
      'Connections above POOL_SIZE in a burst; closed when idle.',
    ),
    echoSql: setting('ECHO_SQL', flag(), false, 'True: statements appear in the log, their values never.'),
    sqliteCheckSameThread: {
      ...setting('SQLITE_CHECK_SAME_THREAD', flag(), false, 'Taken for compatibility.'),
      inert: 'Node has one thread for its databases',
    },
    boot: setting(
      'DATABASE_BOOT',
      choice(['lazy', 'eager', 'required']),
      'lazy',
      'lazy: opened by the first request that needs it, or right after listening when a primary is declared and a file of the fallback is there; eager: in the background right after listening; required: the process ends non-zero when the primary is not reached.',
    ),
    schemaApply: setting(
      'SCHEMA_APPLY',
      choice(['additive', 'none']),
      'additive',
      'additive: missing tables and columns of collections are made; none: nothing in the primary is changed.',
    ),
  },
  fallback: {
    url: secretAddress(
      'FALLBACK_DATABASE_URL',
      address(),
      'sqlite:///./production.db',
      'What serves when the primary does not, or when there is none.',
    ),
    enabled: setting('ENABLE_FALLBACK', flag(), true, 'False: no fallback beside a primary.'),
    mode: setting(
      'FALLBACK_MODE',
      choice(['read-write', 'read-only']),
      'read-write',
      'read-write: writes are taken; nothing carries them to the primary yet, and they say so (fallback-only). read-only: none are taken.',
    ),
    timeoutS: setting(
      'FALLBACK_TIMEOUT',
      seconds({ min: 0.001, max: 300 }),
      5,
      'How long the primary is tried before the fallback serves.',
    ),
    maxRetriesPrimary: setting('MAX_RETRIES_PRIMARY', whole({ min: 0, max: 5 }), 2, 'Retries after the first attempt.'),
    retryDelayMs: setting('RETRY_DELAY_MS', milliseconds({ min: 100, max: 5000 }), 500, 'Pause before a retry.'),
    conditions: setting(
      'FALLBACK_CONDITIONS',
      list(choice(faultConditions)),
      faultConditions.filter((kind) => kind !== 'transient'),
      'The kinds of fault that lead to the fallback.',
    ),
  },
  data: {
    dir: setting('DATA_DIR', text('a folder'), './data', 'Where files live; relative to the working directory.'),
    durable: setting(
      'DATA_DURABLE',
      optional(flag()),
      null,
      'Whether that disk outlives the container; null: found out.',
    ),
    sqliteAllowPaths: setting(
      'SQLITE_ALLOW_PATHS',
      list(word(/^\/[^\0]{0,4095}$/, 'an absolute folder')),
      [],
      'Absolute folders that SQLite files may be in besides DATA_DIR.',
    ),
  },
  journal: {
    keepS: setting(
      'JOURNAL_KEEP',
      seconds({ min: 0, max: 365 * dayS }),
      7 * dayS,
      'How long replayed entries of the journal are kept. The journal is not there yet: no effect.',
    ),
    maxBytes: setting(
      'JOURNAL_MAX_BYTES',
      optional(bytes({ min: MiB, max: 1024 * GiB })),
      null,
      'The size of the journal at which new writes are refused. The journal is not there yet: no effect.',
    ),
  },
  http: {
    port: setting('PORT', whole({ min: 0, max: 65_535 }), 7860, 'The port to listen on; 0: any that is free.'),
    host: setting('HOST', text('a host name or address'), '0.0.0.0', 'The address to listen on.'),
    readiness: setting(
      'READINESS',
      choice(['any', 'primary']),
      'any',
      'any: ready on the fallback too; primary: a replica that alone lost the primary leaves the rotation.',
    ),
    shutdownTimeoutS: setting(
      'SHUTDOWN_TIMEOUT',
      seconds({ min: 0, max: 300 }),
      10,
      'Grace for requests in flight at SIGTERM.',
    ),
    bodyLimitBytes: setting('HTTP_BODY_LIMIT', bytes({ min: KiB, max: 16 * MiB }), 64 * KiB, 'Size of a request body.'),
    headerLimitBytes: setting(
      'HTTP_HEADER_LIMIT',
      bytes({ min: KiB, max: 256 * KiB }),
      16 * KiB,
      "Size of a request's headers together.",
    ),
    urlLimitBytes: setting(
      'HTTP_URL_LIMIT',
      bytes({ min: 256, max: 64 * KiB }),
      8 * KiB,
      "Size of a request's address.",
    ),
    headersTimeoutS: setting(
      'HTTP_HEADERS_TIMEOUT',
      seconds({ min: 0.1, max: 300 }),
      10,
      'How long the headers of a request may take to arrive.',
    ),
    requestTimeoutS: setting(
      'HTTP_REQUEST_TIMEOUT',
      seconds({ min: 0.1, max: 600 }),
      30,
      'How long a whole request may take to arrive.',
    ),
    keepAliveTimeoutS: setting(
      'HTTP_KEEP_ALIVE_TIMEOUT',
      seconds({ min: 0.1, max: 700 }),
      65,
      'How long an idle connection is kept; longer than the 60 s of common proxies, which would otherwise meet a closed one.',
    ),
    maxConnections: setting(
      'HTTP_MAX_CONNECTIONS',
      whole({ min: 1, max: 100_000 }),
      1000,
      'Sockets open at once; beyond, the one that has been silent for longest makes place.',
    ),
    trustedProxies: setting(
      'TRUSTED_PROXIES',
      optional(whole({ min: 0, max: 10 })),
      null,
      'How many proxies in front are ours; null: 1 in a Space, else 0.',
    ),
    rateLimit: setting(
      'RATE_LIMIT',
      whole({ min: 0, max: 1_000_000 }),
      60,
      'Public creates of one client within RATE_LIMIT_WINDOW, in collections without a rateLimit of their own; 0 switches all limits off.',
    ),
    rateLimitWindowS: setting(
      'RATE_LIMIT_WINDOW',
      seconds({ min: 1, max: dayS }),
      60,
      'The time over which RATE_LIMIT counts.',
    ),
    maxActiveSessions: setting(
      'MAX_ACTIVE_SESSIONS',
      whole({ min: 1, max: 100_000 }),
      512,
      'Units of work that may run or wait at once; further ones get 503.',
    ),
  },
  admin: {
    token: secret(
      'ADMIN_TOKEN',
      optional(token()),
      null,
      'Opens what only an operator may see or do; null: drawn at the first start and written to the data directory.',
    ),
  },
  log: {
    level: setting(
      'LOG_LEVEL',
      choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
      'info',
      'The least important lines that are written.',
    ),
    format: setting(
      'LOG_FORMAT',
      optional(choice(['json', 'pretty'])),
      null,
      'null: pretty on a terminal, JSON elsewhere.',
    ),
    requests: setting('LOG_REQUESTS', flag(), true, 'One line per request.'),
  },
  drivers: setting(
    'DRIVERS',
    list(text('a name or a path')),
    ['sqlite', 'postgresql', 'mysql', 'neon'],
    'The database plugins, by name or by path.',
  ),
  collections: {
    dir: setting(
      'COLLECTIONS_DIR',
      text('a folder'),
      './config/collections',
      'Folder of the collection files; relative to the working directory.',
    ),
  },
  platform: {
    nodeEnv: {
      ...setting(
        'NODE_ENV',
        word(environmentName, 'a plain name of letters, digits, - and _'),
        'development',
        'Names the second settings file, config/<NODE_ENV>.json.',
      ),
      environmentOnly: true,
    },
    spaceId: {
      ...setting('SPACE_ID', optional(text()), null, 'Set by Hugging Face in a Space.'),
      environmentOnly: true,
    },
    spaceHost: {
      ...setting('SPACE_HOST', optional(text()), null, 'Set by Hugging Face in a Space.'),
      environmentOnly: true,
    },
  },
  config: {
    file: {
      ...setting('CONFIG_FILE', optional(text('a path')), null, 'A settings file above the ones in config/.'),
      environmentOnly: true,
    },
    strict: setting(
      'CONFIG_STRICT',
      flag(),
      false,
      'True: problems of severity error end the process with 2, all of them listed.',
    ),
  },
}
