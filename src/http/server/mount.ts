import type { IncomingMessage } from 'node:http'

/** A property of the request, set only where there is a prefix: a WeakMap entry would cost the garbage collector. */
const mountKey: unique symbol = Symbol('mount')

interface MountedRequest extends IncomingMessage {
  [mountKey]?: string
  /** Express's name for the prefix that it has cut off `url`; code of other servers may set it. */
  readonly baseUrl?: unknown
  /** Express's and Polka's name for the whole target. */
  readonly originalUrl?: unknown
}

/** One slash before each segment: another form could lead to another host. */
const safePrefix = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/

/** Notes the prefix under which an application has mounted the service. To be called before `url` is rewritten. */
export function noteMount(req: MountedRequest): void {
  const { baseUrl, originalUrl } = req
  if (baseUrl === undefined && originalUrl === undefined) return
  const prefix = (typeof baseUrl === 'string' ? baseUrl : cutOff(originalUrl, req.url ?? '/')).replace(/\/$/, '')
  if (safePrefix.test(prefix)) req[mountKey] = prefix
}

/** The prefix of every path in an answer: empty, or `/data`. */
export function mountPrefixOf(req: MountedRequest): string {
  return req[mountKey] ?? ''
}

/** What the whole target has in front of what is left of it. */
function cutOff(whole: unknown, left: string): string {
  if (typeof whole !== 'string') return ''
  const [path, rest] = [pathOf(whole), pathOf(left)]
  if (path.endsWith(rest)) return path.slice(0, path.length - rest.length)
  // `/data` itself is left as `/`.
  return rest === '/' ? path : ''
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? ''
}
