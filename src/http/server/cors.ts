import type { IncomingMessage, ServerResponse } from 'node:http'
import cors, { type CorsOptions } from 'cors'

/** Headers of requests to the data API that a browser sends only where they are allowed. */
const allowedHeaders = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Holdfast-Token',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Prefer',
  'X-Request-Id',
]

/** Headers of answers that a page of another origin may read. */
const exposedHeaders = [
  'Allow',
  'Content-Disposition',
  'ETag',
  'Holdfast-Archive-Lag',
  'Holdfast-As-Of',
  'Holdfast-Durability',
  'Holdfast-Store',
  'Idempotency-Replayed',
  'Link',
  'Location',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
]

/** For how long a browser keeps the answer to a preflight. */
const maxAge = 600

/** Lets pages of other origins use the service: the declared ones, and none without. Never with cookies. */
export class CrossOrigin {
  readonly #origins: () => readonly string[]
  #made: { readonly of: readonly string[]; readonly apply: ReturnType<typeof cors> } | null = null

  /** `origins` is called for each request, so that a reload takes effect. */
  constructor(origins: () => readonly string[]) {
    this.#origins = origins
  }

  /** Sets the headers, then calls `next`; answers a preflight itself. */
  apply(req: IncomingMessage, res: ServerResponse, next: () => void): void {
    const origins = this.#origins()
    if (origins.length === 0) {
      next()
      return
    }
    if (this.#made?.of !== origins) this.#made = { of: origins, apply: cors(optionsFor(origins)) }
    // The package answers every OPTIONS as a preflight; one without this header asks for the methods of a path.
    if (req.method === 'OPTIONS' && req.headers['access-control-request-method'] === undefined) {
      next()
      return
    }
    this.#made.apply(req, res, next)
  }
}

function optionsFor(origins: readonly string[]): CorsOptions {
  const origin = origins.includes('*') ? '*' : [...origins]
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
  return { origin, methods, allowedHeaders, exposedHeaders, maxAge, credentials: false }
}
