import { faultError } from '../../../src/driver/kit/driver-kit.ts'

/** The mechanism that binds the password to the channel. */
export const boundMechanism: string = 'SCRAM-SHA-256-PLUS'

/** The server cannot bind the password to the channel, as the address requires. */
export function unboundError(): Error {
  return faultError(
    'tls',
    'CHANNEL_BINDING',
    'The address requires channel binding, and the server offers none.',
    'Write channel_binding=prefer, or check which server answers at the address.',
  )
}
