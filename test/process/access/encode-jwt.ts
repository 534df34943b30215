import { createHmac } from 'node:crypto'

/** A JWT signed with HS256. */
export function encodeJwt(claims: object, secret: string): string {
  const head = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const signature = createHmac('sha256', secret).update(head.join('.')).digest('base64url')
  return `${head.join('.')}.${signature}`
}
