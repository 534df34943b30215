/** Where a setting's value came from. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'environment'; readonly name: string }
  /** A file whose path an environment variable `NAME_FILE` gave. */
  | { readonly from: 'secret-file'; readonly name: string; readonly path: string }
  /** Given in code, by whoever uses the library. */
  | { readonly from: 'options' }

/**
 * How much a problem matters: `error`: the value is not used, or the default replaced it; `warning`: used after a
 * repair; `info`: worth knowing.
 */
export type Severity = 'error' | 'warning' | 'info'

/** Something wrong with a setting, an address or a declaration. Never thrown, and never holds a secret. */
export interface Problem {
  /** A word for programs, in capitals: `SETTING_INVALID`. Each stands in README's table. */
  readonly code: string
  readonly severity: Severity
  /** The setting's key (`database.url`), or the file and JSON pointer (`config/collections/feedback.json#/fields/rating`). */
  readonly setting: string
  /** Where the value came from; null where there is no value (a missing file, say). */
  readonly origin: Origin | null
  /** The part of the value that is wrong (`port`, `password`, `scheme`); null when it is the whole. */
  readonly part: string | null
  /** One sentence: what is wrong, with the value when it is no secret. */
  readonly message: string
  /** One sentence, or a corrected value with the secret masked: what to do. */
  readonly suggestion: string
}

/** The origin as people and `holdfast check` read it: `default`, `config/default.json`, `environment PORT`, `/run/secrets/x (ADMIN_TOKEN_FILE)`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.from) {
    case 'default':
      return 'default'
    case 'file':
      return origin.path
    case 'environment':
      return `environment ${origin.name}`
    case 'secret-file':
      return `${origin.path} (${origin.name})`
    case 'options':
      return 'options'
  }
}
