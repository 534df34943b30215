import { lookup } from 'node:dns/promises'
import type { Server } from 'node:http'
import { createProblem, type Problem } from '../../config/problem.ts'
import { errorCodeOf } from '../../config/text-file.ts'

/** The address that the server is bound to. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  /** For people: `http://localhost:7860`. */
  readonly url: string
  /** Set if the requested host could not be bound and the server listens on all interfaces. */
  readonly problem: Problem | null
}

/** The server could not be bound. The message is one sentence for the person who started the process. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: 'PORT_TAKEN' | 'PORT_FORBIDDEN' | 'LISTEN_FAILED'

  constructor(code: ListenError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** A name server that does not respond must not keep the service from starting. */
const lookupLimitMs = 3_000

/** Errors caused by the host, not the port. */
const hostErrors = ['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'EINVAL', 'EAFNOSUPPORT', 'EAI_FAIL', 'EAI_NONAME']

/** Problems found while binding, by code. */
export const listenProblems: Readonly<Record<string, string>> = {
  HOST_UNRESOLVED: 'HOST is not an address of this machine. The service listens on all interfaces.',
}

/**
 * Binds `host`:`port` (0: any free port). If the host cannot be bound, binds all interfaces and reports a problem.
 * Rejects with `ListenError` if the port is taken or forbidden.
 */
export async function listenOn(server: Server, port: number, host: string): Promise<ListenAddress> {
  const requested = host.replace(/^\[(.*)\]$/, '$1')
  try {
    return await bind(server, port, await resolveHost(requested), requested, null)
  } catch (error) {
    const code = errorCodeOf(error) ?? 'unknown'
    if (!hostErrors.includes(code)) throw asListenError(error, port, host)
    try {
      return await bind(server, port, '0.0.0.0', '0.0.0.0', hostProblem(host, code))
    } catch (second) {
      throw asListenError(second, port, '0.0.0.0')
    }
  }
}

async function resolveHost(host: string): Promise<string> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(Object.assign(new Error('The name server did not respond in time.'), { code: 'EAI_AGAIN' })),
    lookupLimitMs,
  )
  try {
    return (await Promise.race([lookup(host), late])).address
  } finally {
    clearTimeout(timer)
  }
}

function bind(
  server: Server,
  port: number,
  address: string,
  host: string,
  problem: Problem | null,
): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      server.off('listening', onListening)
      reject(error)
    }
    const onListening = () => {
      server.off('error', onError)
      const bound = server.address()
      const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
      resolve({ host, port: boundPort, url: urlOf(host, boundPort), problem })
    }
    server.once('error', onError).once('listening', onListening)
    server.listen({ port, host: address })
  })
}

function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`
}

function hostProblem(host: string, code: string): Problem {
  return createProblem('HOST_UNRESOLVED', 'error', 'http.host', {
    message: `HOST: "${host}" is not an address of this machine (${code}). The service listens on all interfaces.`,
    suggestion: 'Unset HOST, or set it to 0.0.0.0 or to an address of this machine.',
  })
}

function asListenError(error: unknown, port: number, host: string): ListenError {
  switch (errorCodeOf(error)) {
    case 'EADDRINUSE':
      return new ListenError(
        'PORT_TAKEN',
        `Port ${port} on ${host} is used by another process. Stop it, or set PORT to a free port.`,
        error,
      )
    case 'EACCES':
      return new ListenError(
        'PORT_FORBIDDEN',
        `This user may not open port ${port} on ${host}. Set PORT to a port above 1023.`,
        error,
      )
    default:
      return new ListenError(
        'LISTEN_FAILED',
        `Cannot open port ${port} on ${host} (${errorCodeOf(error) ?? 'unknown'}).`,
        error,
      )
  }
}
