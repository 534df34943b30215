import { type ApiToken, apiTokensFault } from '../config/schema/api-token.ts'
import { apiTokenSha256, drawApiToken } from '../http/auth/api-tokens.ts'
import type { CommandContext, CommandExit, Given } from './command.ts'

/** `holdfast token`: draws an API token, prints it once, and what to put into the settings. Changes nothing. */
export function tokenCommand(
  { words: [name = ''], scopes, expires, flags }: Given,
  context: CommandContext,
): CommandExit {
  const token = drawApiToken()
  const entry: ApiToken = { name, sha256: apiTokenSha256(token), scopes, ...(expires === null ? {} : { expires }) }
  const fault = scopes.length === 0 ? 'without a scope: give it one with --scope' : faultOf(entry)
  if (fault !== null) {
    context.err(`holdfast: this would be a token ${fault}. See "holdfast --help".\n`)
    return 1
  }
  context.out(flags.has('json') ? `${JSON.stringify({ token, entry }, null, 2)}\n` : textOf(token, entry))
  return 0
}

function faultOf(entry: ApiToken): string | null {
  return apiTokensFault([entry])?.replace(/^has an entry \(number 1\) /, '') ?? null
}

function textOf(token: string, entry: ApiToken): string {
  return `${token}

This is the token "${entry.name}". It is not stored anywhere and not shown again.
Add this to API_TOKENS (a JSON array; "tokens" in a settings file), then reload:

${JSON.stringify(entry)}

Use it: curl -H 'Authorization: Bearer <token>' ...
`
}
