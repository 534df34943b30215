import type { Mask } from './mask.ts'

/** Where a setting's value came from. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'environment'; readonly name: string }
  /** A file whose path an environment variable `NAME_FILE` gave. */
  | { readonly from: 'secret-file'; readonly name: string; readonly path: string }
  /** Given in code, to the library. */
  | { readonly from: 'options' }

/** What stands for a secret in whatever people read. */
export const hiddenText = '***'

/** `error`: the value is not used, or the default replaces it. `warning`: it is used after a repair. `info`: good to know. */
export type Severity = 'error' | 'warning' | 'info'

/** Something wrong with a setting, an address or a declaration. Never thrown, and never holds a secret. */
export interface Problem {
  /** For programs: `SETTING_INVALID`. Every code is listed in `config/README.md`. */
  readonly code: string
  readonly severity: Severity
  /** The setting's key (`database.url`), or the file and JSON pointer (`config/collections/feedback.json#/fields/rating`). */
  readonly setting: string
  /** Where the value came from; null when there is no value. */
  readonly origin: Origin | null
  /** The driver that read the address; absent for any other problem. */
  readonly driver?: string
  /** The part of the value that is wrong (`port`, `password`, `scheme`); null for the whole value. */
  readonly part: string | null
  /** What is wrong, with the value unless it is a secret. */
  readonly message: string
  /** What to do: a sentence, or the corrected value with its secret masked. */
  readonly suggestion: string
}

/** A problem with a setting; with its whole value, and without an origin, unless `words` say otherwise. */
export function createProblem(
  code: string,
  severity: Severity,
  setting: string,
  words: Pick<Problem, 'message' | 'suggestion'> & Partial<Pick<Problem, 'origin' | 'part'>>,
): Problem {
  return { code, severity, setting, origin: null, part: null, ...words }
}

/**
 * The problem without the secrets that the mask knows: a message, or a driver that made it, may have quoted one. What a
 * driver added to it is left out.
 */
export function maskProblem(
  { code, severity, setting, origin, driver, part, message, suggestion }: Problem,
  mask: Mask,
): Problem {
  return {
    ...{ code, severity, setting, origin },
    ...(driver === undefined ? {} : { driver }),
    part: part === null ? null : mask(part),
    message: mask(message),
    suggestion: mask(suggestion),
  }
}

/** An origin as text: `default`, `config/default.json`, `environment PORT`, `/run/secrets/x (ADMIN_TOKEN_FILE)`. */
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

/** Every problem code of settings and their files, with its meaning. */
export const settingProblems = {
  SETTING_INVALID: 'A value has the wrong type or is out of range; the default is used.',
  SETTING_UNKNOWN: 'There is no setting with this name; the value is ignored.',
  SETTING_AMBIGUOUS:
    'host or port at the top of a settings file is next to database settings; the message says how it is read.',
  SETTING_MISPLACED: 'This setting can only be set in the environment; the value in the file is ignored.',
  SETTING_REPAIRED: 'A value is used after a small repair.',
  SETTING_DUPLICATE: 'One setting has two different values in the same source; the message says which one is used.',
  SETTING_NO_EFFECT: 'This setting is accepted for compatibility and has no effect.',
  SETTING_MISSPELT: 'An environment variable looks like a misspelt setting; it is not read.',
  SETTING_NOT_READ: 'An environment variable of other software is set; it is not read.',
  SETTING_ENV_TAKEN: 'A driver declares an environment variable that another setting has; set it in a file instead.',
  SETTING_DECLARATION_INVALID: "A driver's declaration of a setting is invalid; the setting is left out.",
  KUBERNETES_PORT_IGNORED: 'Kubernetes set this variable for a Service; it is ignored.',
  FILE_UNREADABLE: 'A settings file or secret file cannot be read; it is ignored.',
  FILE_INVALID: 'A settings file is not valid JSON; it is ignored.',
} as const

/** The exit code in strict mode and of `holdfast check`: 2 when there is a problem of severity `error`, else 0. */
export function exitCodeFor(problems: readonly Problem[]): 0 | 2 {
  return problems.some((problem) => problem.severity === 'error') ? 2 : 0
}
