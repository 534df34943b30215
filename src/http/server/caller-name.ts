import type { IncomingMessage } from 'node:http'

/** A property of the request: a WeakMap entry would cost the garbage collector a fifth of a small response. */
const nameKey: unique symbol = Symbol('caller')

interface NamedRequest extends IncomingMessage {
  [nameKey]?: string
}

/** Records who sent the request, for the log. */
export function nameCaller(req: NamedRequest, name: string): void {
  req[nameKey] = name
}

/** Who sent the request; null where no one asked. */
export function callerNameOf(req: NamedRequest): string | null {
  return req[nameKey] ?? null
}
