/** The code of every problem that only this driver finds, and what it means; documentation and tests read it. */
export const neonProblems = {
  NEON_PROXY_INVALID: 'NEON_WS_PROXY is not the address of a WebSocket, or names another machine without TLS.',
} as const
