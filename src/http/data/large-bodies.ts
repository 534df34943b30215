import type { ServerResponse } from 'node:http'
import { HoldfastError } from '../../errors.ts'
import type { LargeBody } from './body.ts'

/** Bodies above `HTTP_BODY_LIMIT` that may be in memory at once. */
const atOnce = 4

/** Bounds the memory that large bodies take. */
export class LargeBodies {
  #count = 0

  /** For the body of the request that this response answers: it counts until the response has ended. */
  of(res: ServerResponse, aboveBytes: number): LargeBody {
    return {
      aboveBytes,
      take: () => {
        if (this.#count >= atOnce) {
          throw new HoldfastError('OVERLOADED', { retryAfterS: 1, detail: 'Too many large bodies are in progress.' })
        }
        // Its client has gone: it has been closed, and nothing is read.
        if (res.destroyed) return
        this.#count += 1
        res.once('close', () => {
          this.#count -= 1
        })
      },
    }
  }
}
