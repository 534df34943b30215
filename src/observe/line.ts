/** How loud a line is. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** What one observation says in the log. */
export interface Line {
  readonly level: LineLevel
  /** One sentence for people. */
  readonly message: string
  /** The same for programs. No secret, no value of a row. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Lines with the same word are said once a minute and counted. Null: each is said. */
  readonly repeat: string | null
  /** What failed, printed with its chain of causes. */
  readonly error?: unknown
}

/** A line that is said each time. */
export function line(level: LineLevel, message: string, fields: Line['fields'] = {}, error?: unknown): Line {
  return { level, message, fields, repeat: null, ...(error === undefined ? {} : { error }) }
}

/** A line that may come in swarms: said once a minute, the others counted. */
export function repeatable(
  level: LineLevel,
  repeat: string,
  message: string,
  fields: Line['fields'],
  error?: unknown,
): Line {
  return { level, message, fields, repeat, ...(error === undefined ? {} : { error }) }
}

/** Something of ours threw where nothing should. */
export function defectLine({ where, error }: { readonly where: string; readonly error: unknown }): Line {
  return repeatable('error', `defect ${where}`, `A defect in ${where}.`, { where }, error)
}
