import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Collection } from '../../collection/declaration/declaration.ts'
import type { Secret } from '../../config/secret.ts'
import { HoldfastError } from '../../errors.ts'
import { isAdmin } from '../auth/admin.ts'
import { refuseQuery } from '../data/data-request.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { checkUnsent } from '../server/backpressure.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { Documents, type SentDocument } from './documents.ts'

/** What the documents are made of. Functions where a reload replaces what is behind them. */
export interface DocumentRoutesDeps {
  readonly version: string
  readonly collections: () => readonly Collection[]
  /** The admin token: its holder sees private fields, too. */
  readonly token: () => Secret
}

/** Adds `/openapi.json` and `/api/:collection/schema`. Must precede the data API, to which the latter looks like a row. */
export function addDocumentRoutes(app: App, { version, collections, token }: DocumentRoutesDeps): void {
  const documents = new Documents(version)
  app.get('/openapi.json', (req, res) => {
    const asAdmin = isAdmin(req, token())
    send(req, res, 'application/json', documents.openApi(collections(), asAdmin, mountPrefixOf(req)), asAdmin)
  })
  app.get('/api/:collection/schema', (req, res) => {
    refuseQuery(req.search)
    const asAdmin = isAdmin(req, token())
    const found = documents.schema(collections(), req.params.collection ?? '', asAdmin)
    if (found === null) throw new HoldfastError('COLLECTION_NOT_FOUND')
    send(req, res, 'application/schema+json', found, asAdmin)
  })
}

function send(req: IncomingMessage, res: ServerResponse, type: string, found: SentDocument, isPrivate: boolean): void {
  const { text, etag } = found
  const headers = {
    ETag: etag,
    'Cache-Control': isPrivate ? 'private, no-cache' : 'no-cache',
    Vary: 'Authorization, Holdfast-Token',
  }
  if (isKnown(req.headers['if-none-match'], etag)) {
    res.writeHead(304, headers).end()
    return
  }
  checkUnsent(text.length)
  sendText(res, 200, type, text, headers)
}

/** True if `If-None-Match` names this tag, as a strong or a weak one. */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(etag) || tags.includes('*')
}
