import type { CollectionLine } from '../status/status-source.ts'

/** A curl command that creates the example row of the collection, for a POSIX shell. */
export function curlLine(base: string, collection: CollectionLine): string {
  const token = needsToken(collection.access.create) ? ' -H "Holdfast-Token: $ADMIN_TOKEN"' : ''
  const body = shellQuote(JSON.stringify(collection.example))
  return `curl -X POST ${base}${collection.path}${token} -H 'content-type: application/json' -d ${body}`
}

/** A curl command that lists the collection. */
export function curlListLine(base: string, collection: CollectionLine): string {
  const token = needsToken(collection.access.list) ? ' -H "Holdfast-Token: $ADMIN_TOKEN"' : ''
  return `curl ${shellSafe(`${base}${collection.path}?limit=20`)}${token}`
}

/** One line of Python that creates the example row with the standard library alone. */
export function pythonLine(base: string, collection: CollectionLine): string {
  const isClosed = needsToken(collection.access.create)
  const imports = isClosed ? 'json, os, urllib.request as u' : 'json, urllib.request as u'
  const token = isClosed ? ', "Holdfast-Token": os.environ["ADMIN_TOKEN"]' : ''
  const address = JSON.stringify(`${base}${collection.path}`)
  const body = `json.dumps(${pythonLiteral(collection.example)}).encode()`
  const request = `u.Request(${address}, ${body}, {"Content-Type": "application/json"${token}})`
  return `import ${imports}; print(u.urlopen(${request}).read().decode())`
}

/** What to do before these commands work; null if nothing. */
export function lineHint({ access }: CollectionLine): string | null {
  if (!needsToken(access.create) && !needsToken(access.list)) return null
  return 'These commands read ADMIN_TOKEN from your shell: first run export ADMIN_TOKEN=… with the admin token.'
}

/** The admin's, which opens whatever is open to someone. */
function needsToken(grantees: string): boolean {
  return !/\bpublic\b/.test(grantees)
}

function shellSafe(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : shellQuote(text)
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A JSON value as a Python literal: strings and numbers are the same, the three keywords differ. */
function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${pythonLiteral(inner)}`)
  return `{${entries.join(', ')}}`
}
