import crypto from 'node:crypto'
import { adminCaller, publicCaller } from '../../collection/access/caller.ts'
import { visibleFields } from '../../collection/access/visible-fields.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { openApiDocument } from './openapi.ts'
import { schemaDocument } from './schema-document.ts'

/** A document as it is sent. */
export interface SentDocument {
  readonly text: string
  readonly etag: string
}

interface Known {
  readonly admin: Map<string, SentDocument>
  readonly others: Map<string, SentDocument>
}

/** The documents of the collections in force. Made when they are first asked for, and kept for as long as the collections are. */
export class Documents {
  readonly #version: string
  readonly #known = new WeakMap<readonly Collection[], Known>()

  constructor(version: string) {
    this.#version = version
  }

  /** The OpenAPI document. `mount` is the prefix of all paths: applications may mount one service at many. */
  openApi(collections: readonly Collection[], isAdmin: boolean, mount: string): SentDocument {
    const caller = isAdmin ? adminCaller : publicCaller
    const { text, etag } = this.#find(collections, isAdmin, '', () =>
      openApiDocument(collections, caller, this.#version),
    )
    if (mount === '') return { text, etag }
    const servers = JSON.stringify([{ url: mount }])
    const tag = crypto.hash('sha256', mount, 'base64url').slice(0, 8)
    return { text: `{"servers":${servers},${text.slice(1)}`, etag: `${etag.slice(0, -1)}-${tag}"` }
  }

  /** The schema of a row; null: no collection has this name. */
  schema(collections: readonly Collection[], name: string, isAdmin: boolean): SentDocument | null {
    const collection = collections.find((one) => one.name === name)
    if (collection === undefined) return null
    const visible = visibleFields(collection, isAdmin ? adminCaller : publicCaller)
    return this.#find(collections, isAdmin, name, () => schemaDocument(collection, visible))
  }

  #find(collections: readonly Collection[], isAdmin: boolean, name: string, make: () => object): SentDocument {
    const known = this.#known.get(collections) ?? { admin: new Map(), others: new Map() }
    this.#known.set(collections, known)
    const view = isAdmin ? known.admin : known.others
    const found = view.get(name)
    if (found !== undefined) return found
    const text = JSON.stringify(make())
    const made = { text, etag: `"${crypto.hash('sha256', text, 'base64url').slice(0, 22)}"` }
    view.set(name, made)
    return made
  }
}
