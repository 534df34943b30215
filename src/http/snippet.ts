import type { CollectionLine } from './status-source.ts'

/** A curl line that creates the collection's example row, for a POSIX shell. */
export function curlLine(base: string, collection: CollectionLine): string {
  const token = collection.access.create === 'admin' ? ' -H "Holdfast-Token: $ADMIN_TOKEN"' : ''
  const body = shellQuote(JSON.stringify(collection.example))
  return `curl -X POST ${base}${collection.path}${token} -H 'content-type: application/json' -d ${body}`
}

/** A curl line that lists the collection. */
export function curlListLine(base: string, collection: CollectionLine): string {
  const token = collection.access.list === 'admin' ? ' -H "Holdfast-Token: $ADMIN_TOKEN"' : ''
  return `curl ${shellSafe(`${base}${collection.path}?limit=20`)}${token}`
}

/** The same in Python, one line with `requests`. */
export function pythonLine(base: string, collection: CollectionLine): string {
  const token = collection.access.create === 'admin' ? ', headers={"Holdfast-Token": os.environ["ADMIN_TOKEN"]}' : ''
  const imports = token === '' ? 'import requests' : 'import os, requests'
  const address = JSON.stringify(`${base}${collection.path}`)
  return `${imports}; print(requests.post(${address}, json=${pythonLiteral(collection.example)}${token}).json())`
}

function shellSafe(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : shellQuote(text)
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A JSON value as Python writes it: JSON's strings and numbers are Python's, its three words are not. */
function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${pythonLiteral(inner)}`)
  return `{${entries.join(', ')}}`
}
