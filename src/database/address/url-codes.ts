/** The code of every problem that reading an address finds, and what it means; documentation and tests read it. */
export const addressProblems = {
  ADDRESS_REPAIRED: 'An address is used after something around it was taken away.',
  ADDRESS_PLACEHOLDER: 'A part of an address was never filled in; it is not used.',
  ADDRESS_EXAMPLE_PASSWORD: 'The password of an address is a word of manuals; it is tried all the same.',
  ADDRESS_MALFORMED: 'Colon or slashes behind the scheme of an address are not right; it is not used.',
  ADDRESS_TWO: 'The value holds two addresses; neither is used.',
  ADDRESS_SCHEME_READ: 'The scheme of an address is another word for one that a driver takes; the address is used.',
  ADDRESS_TOO_LONG: 'An address is longer than any can be; it is not used.',
  ADDRESS_SCHEME_MISSING: 'An address does not say which kind of database it is; it is not used.',
  ADDRESS_SCHEME_UNKNOWN: 'No driver takes the scheme of an address; it is not used.',
  ADDRESS_PARTS_INCOMPLETE: 'Parts of an address are given without the driver that is to read them; they are not used.',
  ADDRESS_PARTS_DIFFER: 'An address and its parts are both given and differ; the address is used.',
  DRIVER_NOT_INSTALLED: 'The driver that an address needs is not loaded; the fallback serves.',
  DRIVER_NOT_LOADED: 'DATABASE_DRIVER names no driver that is loaded.',
  DRIVER_MISMATCH: 'DATABASE_DRIVER names a driver that does not take the scheme of DATABASE_URL; the scheme decides.',
  DRIVER_FAILED: 'A driver threw, or gave nonsense, while it read an address; the address is not used.',
  FALLBACK_NOT_EMBEDDED: 'The fallback must live in files of this machine; the default is used.',
  FALLBACK_NONE: 'No driver that is loaded can be a fallback.',
  FALLBACK_IS_PRIMARY: 'Primary and fallback are one database, so there is no fallback.',
  LEGACY_FILE: 'A database of an earlier deployment lies where it is not looked for; it is left alone.',
} as const

/** The code of a problem with an address. */
export type AddressProblemCode = keyof typeof addressProblems
