/** The code of every problem that this room finds, and what it means; documentation and tests read it. */
export const driverProblems = {
  DRIVER_UNKNOWN: 'No plugin has this name, and nothing is at this path.',
  DRIVER_UNLOADABLE: 'A plugin fails while it is imported, or needs a package that is not there.',
  DRIVER_INVALID: 'What a plugin exports is not a driver.',
  DRIVER_CONTRACT: 'A plugin speaks another generation of the driver contract.',
  DRIVER_NAME_TAKEN: 'Two drivers have one name; the first is used.',
  DRIVER_SCHEME_TAKEN: 'Two drivers claim one scheme; the first is used.',
  DRIVER_EXCLUSIVE: 'Two drivers carry what may be in a process once; the first is used.',
  DRIVER_LIMIT_EXCEEDED: 'More plugins are named than are taken.',
  DRIVER_ADDED: 'No driver that is named can be the local store; the house adds its own.',
} as const

/** The code of a problem that this room finds. */
export type DriverProblemCode = keyof typeof driverProblems
