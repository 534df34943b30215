/** The code of every problem that this driver finds, and what it means; documentation and tests read it. */
export const postgresqlProblems = {
  POSTGRESQL_ADDRESS: 'The address is none of a PostgreSQL.',
  POSTGRESQL_ADDRESS_REPAIRED: 'The address is used after a small repair.',
  POSTGRESQL_TWO_ADDRESSES: 'The value holds two addresses, or one inside another.',
  POSTGRESQL_HOST_MISSING: 'The address names no host.',
  POSTGRESQL_HOST_INVALID: 'The host of the address is none.',
  POSTGRESQL_PORT_INVALID: 'The port of the address is no number from 1 to 65535.',
  POSTGRESQL_NAME_MISSING: 'The address names no database.',
  POSTGRESQL_USER_MISSING: 'The address names no user.',
  POSTGRESQL_PASSWORD_UNCLEAR: 'The password holds characters that can be read in more than one way.',
  POSTGRESQL_TLS_MODE: 'The address asks for a TLS mode that there is not, or for two that differ.',
  POSTGRESQL_TLS_FILE: 'A certificate or key that the address names cannot be read.',
  POSTGRESQL_PARAMETER_INVALID: 'A parameter of the address has a value that is not taken.',
  POSTGRESQL_PARAMETER_UNNEEDED: 'A parameter of the address has no meaning here.',
  POSTGRESQL_PARAMETER_UNKNOWN: 'A parameter of the address is unknown.',
  CLIENT_MISSING: 'The package of the database client is not installed.',
} as const

/** The code of a problem that this driver finds. */
export type PostgresqlProblemCode = keyof typeof postgresqlProblems
