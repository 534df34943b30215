/** The code of every problem that this driver finds, and what it means; documentation and tests read it. */
export const sqliteProblems = {
  SQLITE_MEMORY: 'A database in memory is a temporary file that is removed at the end.',
  SQLITE_NOT_A_FILE: 'A folder, a pipe or a device is at the place of the file.',
  SQLITE_UNWRITABLE: 'The file or its folder cannot be written.',
  SQLITE_NOT_A_DATABASE: 'The file is no SQLite database.',
  SQLITE_OTHER_PLACE: 'Another place than the configured one is used.',
  SQLITE_SET_ASIDE: 'A damaged file was moved aside and a new one made.',
  SQLITE_NO_WAL: 'The file system takes no WAL; a rollback journal is used.',
  SQLITE_FOREIGN_FILE: 'The file carries the mark of another application.',
} as const
