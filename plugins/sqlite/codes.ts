/** Every problem that this driver reports, by its code; documentation and tests read it. */
export const sqliteProblems = {
  SQLITE_MEMORY: 'A database in memory is a temporary file that is removed at the end.',
  SQLITE_NOT_A_FILE: 'The path of the file is a folder, a pipe or a device.',
  SQLITE_UNWRITABLE: 'The file or its folder cannot be written.',
  SQLITE_NOT_A_DATABASE: 'The file is not an SQLite database.',
  SQLITE_OTHER_FILE: 'Another file than the configured one is used.',
  SQLITE_SET_ASIDE: 'A damaged file was moved aside and a new one made.',
  SQLITE_NO_WAL: 'The file system does not support a WAL; a rollback journal is used.',
  SQLITE_NO_REQUESTS:
    'The file lacks the table of requests with an Idempotency-Key, and SCHEMA_APPLY=none. Such requests get 503.',
  JOURNAL_LEFT: 'A file has changes for a primary, and no primary is configured.',
  ROWS_LOCAL: 'A file of a time without a primary has rows that are not in the primary.',
  SQLITE_FOREIGN_FILE: 'The file carries the mark of another application.',
} as const
