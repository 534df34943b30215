import type { Access, Collection } from '../../../src/collection/declaration/declaration.ts'
import type { ApiToken } from '../../../src/config/schema/api-token.ts'
import { apiTokenSha256, drawApiToken } from '../../../src/http/auth/api-tokens.ts'
import { encodeJwt } from './encode-jwt.ts'

export const issuer = 'https://login.example.com/'
export const audience = 'the-service'
export const secret = 'a secret of more than thirty-two bytes'
export const adminToken = 'an-admin-token-for-tests'

/** Someone who sends requests, and what the tests know of them, by their own reckoning. */
export interface Role {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
  readonly is: 'public' | 'token' | 'user' | 'admin'
  /** Whom the rows of this role are owned by. */
  readonly subject: string | null
  /** Of a user. */
  readonly mood: string | null
}

const [scoped, unscoped] = [drawApiToken(), drawApiToken()]

export const tokens: readonly ApiToken[] = [
  { name: 'scoped', sha256: apiTokenSha256(scoped), scopes: ['*:*'] },
  { name: 'unscoped', sha256: apiTokenSha256(unscoped), scopes: ['elsewhere:*'] },
]

/** Everyone of whom it matters what they see. */
export const roles: readonly Role[] = [
  { name: 'nobody', headers: {}, is: 'public', subject: null, mood: null },
  { name: 'a stranger', headers: { authorization: 'Bearer hf_platform' }, is: 'public', subject: null, mood: null },
  { name: 'a token', headers: bearer(scoped), is: 'token', subject: 'token:scoped', mood: null },
  { name: 'a token without the scope', headers: bearer(unscoped), is: 'public', subject: null, mood: null },
  { name: 'ann', headers: bearer(jwt('ann', 'red')), is: 'user', subject: 'ann', mood: 'red' },
  { name: 'bob', headers: bearer(jwt('bob', 'open')), is: 'user', subject: 'bob', mood: 'open' },
  { name: 'admin', headers: bearer(adminToken), is: 'admin', subject: null, mood: null },
]

/** A row as it is created, with markers that are in no other row. */
export interface Marked {
  readonly marker: string
  readonly author: string
  readonly mood: string
}

export const rows: readonly Marked[] = ['ann', 'bob', 'token:scoped', 'zoe'].flatMap((author) =>
  ['open', 'red', 'sealed'].map((mood) => ({ marker: `row-${author.replace(':', '-')}-${mood}`, author, mood })),
)

/** An access, and whom it lets see a row, said once more and without the code under test. */
export interface Variant {
  readonly name: string
  readonly access: Access
  isSeen(role: Role, row: Marked): boolean
  /** Whether the role may ask at all; a collection without a row for it is another answer than a refusal. */
  mayAsk(role: Role): boolean
}

const isAdmin = (role: Role): boolean => role.is === 'admin'
const isOwner = (role: Role, row: Marked): boolean => role.subject === row.author
const hasSubject = (role: Role): boolean => role.is === 'token' || role.is === 'user'

export const variants: readonly Variant[] = [
  { name: 'everyones', access: 'public', mayAsk: () => true, isSeen: () => true },
  whole('tokens', 'token', ({ is }) => is === 'token' || is === 'admin'),
  whole('users', 'user', ({ is }) => is === 'user' || is === 'admin'),
  whole('admins', 'admin', isAdmin),
  whole('noones', 'none', () => false),
  {
    name: 'owned',
    access: 'owner',
    mayAsk: (role) => hasSubject(role) || isAdmin(role),
    isSeen: (role, row) => isOwner(role, row) || isAdmin(role),
  },
  {
    name: 'opened',
    access: { to: 'public', where: { mood: 'open' } },
    mayAsk: () => true,
    isSeen: (role, row) => row.mood === 'open' || isAdmin(role),
  },
  {
    name: 'shared',
    access: [
      { to: 'public', where: { mood: 'open' } },
      { to: 'owner', where: { NOT: { mood: 'sealed' } } },
      { to: 'user', where: { mood: '$user.mood' } },
    ],
    mayAsk: () => true,
    isSeen: (role, row) =>
      isAdmin(role) || row.mood === 'open' || (isOwner(role, row) && row.mood !== 'sealed') || role.mood === row.mood,
  },
  {
    name: 'secretly',
    // A rule may say what its caller may not.
    access: { to: 'public', where: { hidden: { startsWith: 'hidden-row-ann' } } },
    mayAsk: () => true,
    isSeen: (role, row) => isAdmin(role) || row.author === 'ann',
  },
]

function whole(name: string, access: Access, mayAsk: (role: Role) => boolean): Variant {
  return { name, access, mayAsk, isSeen: mayAsk }
}

/** The collection of a variant: each operation has its access. `admin_` has the same rows for those who make them. */
export function collectionOf({ name, access }: Variant): Collection {
  const every = { list: access, get: access, update: access, delete: access, aggregate: access }
  return {
    name,
    fields: {
      text: { type: 'string', maxLength: 100 },
      mood: { type: 'string', maxLength: 20 },
      hidden: { type: 'string', maxLength: 100, private: true },
      pin: { type: 'string', maxLength: 100, writeOnly: true },
      fixed: { type: 'string', maxLength: 100, readOnly: true },
      author: { type: 'string', maxLength: 255 },
    },
    owner: 'author',
    ids: 'client',
    maxRows: 1_000,
    // Made by the admin; a row of `noones` by whoever has the collection's file.
    access: { ...every, create: 'admin' },
  }
}

/** One collection whose rows refer to those of each variant: the road over `expand`. */
export const letters: Collection = {
  name: 'letters',
  fields: Object.fromEntries(
    variants.map(({ name }) => [`to_${name}`, { type: 'string', format: 'uuid', references: name } as const]),
  ),
  access: { list: 'public', get: 'public', create: 'admin' },
}

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` }
}

function jwt(sub: string, mood: string): string {
  return encodeJwt({ iss: issuer, aud: audience, sub, mood, exp: Math.floor(Date.now() / 1_000) + 3_600 }, secret)
}
