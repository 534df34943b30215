/** Every problem with plugins, by its code; documentation and tests read it. */
export const driverProblems = {
  DRIVER_NOT_FOUND: 'No plugin has this name, and the path does not exist.',
  DRIVER_LOAD_FAILED: 'A plugin fails while it is imported, or needs a package that is not installed.',
  DRIVER_INVALID: 'What a plugin exports is not a driver.',
  DRIVER_CONTRACT_UNSUPPORTED: 'A plugin uses another generation of the driver contract.',
  DRIVER_NAME_TAKEN: 'Two drivers have one name; the first is used.',
  DRIVER_SCHEME_TAKEN: 'Two drivers claim one scheme; the first is used.',
  DRIVER_EXCLUSIVE_TAKEN: 'Two drivers contain what a process may have only once; the first is used.',
  DRIVER_LIMIT_EXCEEDED: 'DRIVERS names more plugins than Holdfast loads.',
  DRIVER_ADDED: 'None of the drivers in DRIVERS can be the local store; Holdfast adds its own.',
} as const

/** The code of a problem with a plugin. */
export type DriverProblemCode = keyof typeof driverProblems
