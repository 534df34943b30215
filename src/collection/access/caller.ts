/** Who sent a request. */
export type Caller =
  /** `hasUnknownToken`: with a token that is none of ours, such as the platform's. It counts as none where none is needed. */
  | { readonly is: 'public'; readonly hasUnknownToken?: true }
  | { readonly is: 'token'; readonly name: string; readonly scopes: readonly string[] }
  | { readonly is: 'user'; readonly subject: string; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly is: 'admin' }

/** A request without a token. */
export const publicCaller: Caller = { is: 'public' }

/** A request with a token that is not one of ours. */
export const strangerCaller: Caller = { is: 'public', hasUnknownToken: true }

/** A request with the admin token. */
export const adminCaller: Caller = { is: 'admin' }

/** Whom the `owner` field of a row names: `token:<name>`, the `sub` of a user; null: no one. */
export function subjectOf(caller: Caller): string | null {
  switch (caller.is) {
    case 'public':
    case 'admin':
      return null
    case 'token':
      return `token:${caller.name}`
    case 'user':
      return caller.subject
  }
}

/** The caller in the log, in keys of requests and in rate limits: `public`, `token:<name>`, `user:<sub>`, `admin`. */
export function callerName(caller: Caller): string {
  if (caller.is === 'user') return `user:${caller.subject}`
  return caller.is === 'token' ? `token:${caller.name}` : caller.is
}
