/** The code of every problem that this driver finds, and what it means; documentation and tests read it. */
export const mysqlProblems = {
  MYSQL_ADDRESS: 'The address is none of a MySQL or MariaDB.',
  MYSQL_ADDRESS_REPAIRED: 'The address is used after a small repair.',
  MYSQL_TWO_ADDRESSES: 'The value holds two addresses, or one inside another.',
  MYSQL_HOST_MISSING: 'The address names neither a host nor a socket.',
  MYSQL_HOST_INVALID: 'The host of the address is none.',
  MYSQL_PORT_INVALID: 'The port of the address is no number from 1 to 65535.',
  MYSQL_NAME_MISSING: 'The address names no database.',
  MYSQL_USER_MISSING: 'The address names no user.',
  MYSQL_PASSWORD_UNCLEAR: 'The password holds characters that can be read in more than one way.',
  MYSQL_TLS_MODE: 'The address asks for a TLS mode that there is not, or for two that differ.',
  MYSQL_TLS_FILE: 'A certificate or key that the address names cannot be read.',
  MYSQL_PARAMETER_INVALID: 'A parameter of the address has a value that is not taken.',
  MYSQL_PARAMETER_UNNEEDED: 'A parameter of the address has no meaning here.',
  MYSQL_PARAMETER_UNKNOWN: 'A parameter of the address is unknown.',
  CLIENT_MISSING: 'The package of the database client is not installed.',
} as const

/** The code of a problem that this driver finds. */
export type MysqlProblemCode = keyof typeof mysqlProblems
