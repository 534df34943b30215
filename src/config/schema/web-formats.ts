import { createPublicKey } from 'node:crypto'
import { isPemText, pemFault } from '../pem.ts'

const maxLength = 2_048

/** What is wrong with an `http` or `https` address, without quoting it; null when it is usable. Total. */
export function webAddressFault(value: unknown): string | null {
  const fault = textFault(value)
  if (fault !== null) return fault
  const url = URL.parse(String(value))
  if (url === null || !/^https?:$/.test(url.protocol)) return 'is not a web address'
  return url.username !== '' || url.password !== '' || url.hash !== '' ? 'has a user, a password or a fragment' : null
}

/** What is wrong with an origin, without quoting it; null when it is usable. Total. Browsers send an origin in one form alone; another one would never match. */
export function originFault(value: unknown): string | null {
  if (value === '*') return null
  const fault = textFault(value)
  if (fault !== null) return fault
  const url = URL.parse(String(value))
  if (url === null || url.origin === 'null') return 'is not an origin'
  return url.origin === value ? null : 'is not an origin as browsers send it: scheme and host in small letters, no path'
}

/** What is wrong with the PEM text of a public key, without quoting it; null when it is one. Total. */
export function publicKeyFault(value: unknown): string | null {
  const fault = pemFault(value)
  if (fault !== null) return fault
  const text = String(value)
  if (!isPemText(text)) return 'is not PEM text'
  if (text.includes('PRIVATE KEY')) return 'is a private key, which only the issuer may have'
  try {
    createPublicKey(text)
    return null
  } catch {
    return 'is not a public key'
  }
}

function textFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'is not text'
  return value.length > maxLength ? `is longer than ${maxLength} characters` : null
}
