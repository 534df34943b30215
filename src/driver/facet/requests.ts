import type { ImageTable } from './image.ts'

/**
 * The answers of requests with a key, one row each. A row that is there is the claim of its request: it is inserted in the
 * transaction that the request is, before anything else. `id` and `holdfast_attempt` are the attempt that the key gives;
 * `headers` is a JSON object of the answer's own headers; without a `status`, what is answered is not known (yet). Deleting a row
 * is never journaled: each database deletes old ones by itself.
 */
export const requestTable: ImageTable = {
  name: 'holdfast_request',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'holdfast_attempt', kind: 'text' },
    { name: 'fingerprint', kind: 'text' },
    { name: 'status', kind: 'integer' },
    { name: 'headers', kind: 'text' },
    { name: 'body', kind: 'text' },
    { name: 'made_at', kind: 'instant' },
  ],
}

/** The code of the fault, of kind `constraint`, of a write whose `first` statement breaks a unique key: the request was made before. */
export const requestKnownCode = 'REQUEST_KNOWN'
