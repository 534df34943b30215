/** The code of every problem that only this driver finds; the rest of an address has those of PostgreSQL. */
export const neonProblems = {
  NEON_WS_PROXY: 'NEON_WS_PROXY is no address of a WebSocket, or of one without TLS on another machine.',
  NEON_HOST: 'A host of the address is none that a WebSocket can be opened to.',
  NEON_TLS: 'The address asks for TLS, and the WebSocket would have none.',
} as const

/** The code of a problem that only this driver finds. */
export type NeonProblemCode = keyof typeof neonProblems
