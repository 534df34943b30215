import { Secret } from '../../../src/config/secret.ts'
import type { Settings } from '../../../src/config/settings.ts'
import { Authenticator } from '../../../src/http/auth/authenticator.ts'

/** The settings of who may sign and hold tokens: no one. */
export const noCallers: Pick<Settings, 'tokens' | 'auth' | 'platform'> = {
  tokens: [],
  auth: { jwt: { issuer: null, audience: null, jwksUrl: null, publicKey: null, secret: null, algorithms: [] } },
  platform: { nodeEnv: 'test', spaceId: null, spaceHost: null, openidProviderUrl: null, oauthClientId: null },
}

/** An authenticator with an admin token and what else a test sets; the settings are read for each request. */
export function createAuthenticator(
  adminToken: string,
  settings: () => Partial<Pick<Settings, 'tokens' | 'auth' | 'platform'>> = () => ({}),
  now: () => number = () => performance.now(),
): Authenticator {
  const token = new Secret(adminToken)
  return new Authenticator({ adminToken: () => token, settings: () => ({ ...noCallers, ...settings() }), now })
}
