import type { IncomingMessage } from 'node:http'

const none: readonly string[] = []

/** The tokens of a request: of `Holdfast-Token`, then of `Authorization: Bearer`, which a private Space uses for its own. */
export function sentTokens({ headers }: IncomingMessage): readonly string[] {
  const { authorization } = headers
  const own = headers['holdfast-token']
  // Most requests have neither.
  if (authorization === undefined && own === undefined) return none
  const bearer = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1]
  return [typeof own === 'string' ? own : undefined, bearer]
    .map((given) => given?.trim())
    .filter((given): given is string => given !== undefined && given !== '')
}
