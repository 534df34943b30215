import { decoded } from '../../config/mask.ts'
import { nearest } from '../../config/nearest.ts'
import { type ArchiveUrlFault, foreignUrl } from './foreign-url.ts'
import type { S3Address } from './s3-client.ts'

/** Where an archive is, as ARCHIVE_URL says it. */
export type ArchivePlace =
  | { readonly kind: 's3'; readonly address: S3Address }
  | { readonly kind: 'folder'; readonly path: string }

/** A place for people: `s3://bucket/prefix`, `file:///folder`. */
export function labelOfPlace(place: ArchivePlace): string {
  if (place.kind === 'folder') return `file://${place.path}`
  const { bucket, prefix } = place.address
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
}

/** The place, or why there is none; and what was ignored or repaired. */
export type ArchiveUrlReading =
  | { readonly place: ArchivePlace; readonly notes: readonly ArchiveUrlFault[] }
  | { readonly place: null; readonly fault: ArchiveUrlFault }

const parameters = ['endpoint', 'region'] as const
const bucketForm = /^[a-z0-9][a-z0-9._-]{0,94}[a-z0-9]$/i
const segmentForm = /^[\w.-]+$/
const regionForm = /^[a-z0-9][a-z0-9-]{0,39}$/i
const usualRegion = 'us-east-1'
const example = 's3://bucket/prefix?endpoint=https://host&region=us-east-1'

/** Reads ARCHIVE_URL without what was pasted around it. Pure and total. */
export function readArchiveUrl(text: string): ArchiveUrlReading {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? null
  if (scheme === 'file') return readFileUrl(text)
  if (scheme === null && text.startsWith('/')) return readPath(text)
  if (scheme !== 's3') return failed(foreignUrl(text, scheme))
  const rest = text.slice('s3:'.length)
  if (!/^\/\/[^/]/.test(rest)) {
    const shown = /^\/{0,3}((?:[\w.-]+\/)*[\w.-]+)\/?(?:\?[^@]*)?$/.exec(rest)?.[1] ?? 'bucket/prefix'
    return failed({
      part: rest.startsWith('///') ? 'bucket' : 'scheme',
      message: 'ARCHIVE_URL: expected "s3://" and the name of a bucket.',
      suggestion: `Write s3://${shown}?endpoint=https://...&region=...`,
    })
  }
  return readS3(rest.slice(2))
}

function readS3(rest: string): ArchiveUrlReading {
  const question = rest.indexOf('?')
  const path = question < 0 ? rest : rest.slice(0, question)
  const query = question < 0 ? '' : rest.slice(question + 1)
  // A secret may contain "/" and "?".
  const at = rest.lastIndexOf('@')
  // Behind a "?" the text may be a part of one.
  if (at >= 0) return failed(keyInUrl(question >= 0 && question < at ? '' : rest.slice(at + 1)))
  if (rest.includes('#')) {
    return failed({
      part: null,
      message: 'ARCHIVE_URL contains "#", which has no meaning there.',
      suggestion: `Write ${example}.`,
    })
  }
  const [bucket = '', ...segments] = path.replace(/\/+$/, '').split('/')
  if (!bucketForm.test(bucket)) {
    const named = /^[^:]+:/.test(bucket) ? ' A port belongs in the endpoint.' : ''
    return failed({
      part: 'bucket',
      message: `ARCHIVE_URL: the name of a bucket has letters, digits, ".", "-" and "_", 2 to 96 of them.${named}`,
      suggestion: `Write ${example}.`,
    })
  }
  const prefix = readPrefix(segments)
  if (typeof prefix !== 'string') return failed({ ...prefix, suggestion: `Write s3://${bucket}/${prefix.suggestion}` })
  const found = readParameters(query)
  if ('fault' in found) return failed(found.fault)
  const { endpoint, region, notes } = found
  const place = addressOf(bucket, prefix, endpoint, region)
  return 'message' in place ? failed(place) : { place: { kind: 's3', address: place }, notes }
}

/** The name of an object has no escapes, so that it is signed as it is written. */
function readPrefix(segments: readonly string[]): string | ArchiveUrlFault {
  const prefix = segments.join('/')
  const isUsable = segments.every((one) => segmentForm.test(one) && one !== '.' && one !== '..')
  if (isUsable) return prefix
  // More than a name may be a key.
  const usable = (/[:=@&]/.test(prefix) ? ['prefix'] : segments)
    .map((one) => decoded(one).replace(/[^\w.-]+/g, '-'))
    .filter((one) => one !== '' && one !== '.' && one !== '..')
  return {
    part: 'prefix',
    message:
      'ARCHIVE_URL: the prefix may contain letters, digits, ".", "-" and "_", in parts with one "/" between them.',
    suggestion: usable.join('/'),
  }
}

type ReadParameters =
  | { readonly fault: ArchiveUrlFault }
  | { readonly endpoint: string | null; readonly region: string | null; readonly notes: readonly ArchiveUrlFault[] }

function readParameters(query: string): ReadParameters {
  const given = new Map<string, string>()
  const notes: ArchiveUrlFault[] = []
  for (const [name, value] of new URLSearchParams(query)) {
    const known = parameters.find((one) => one === name.toLowerCase())
    if (known !== undefined && given.has(known)) {
      const message = `ARCHIVE_URL contains the parameter "${known}" twice.`
      return { fault: { part: known, message, suggestion: 'Remove one of them.' } }
    }
    if (known !== undefined) given.set(known, value.trim())
    else notes.push(unknownParameter(name))
  }
  const set = (name: string): string | null => given.get(name) || null
  return { endpoint: set('endpoint'), region: set('region'), notes }
}

/** The value is never quoted: it may be a secret. */
function unknownParameter(name: string): ArchiveUrlFault {
  if (/secret|access|key|token|pass/i.test(name)) {
    return {
      part: 'parameter',
      message: 'ARCHIVE_URL contains a parameter for a key, which is ignored.',
      suggestion: 'Set ARCHIVE_ACCESS_KEY_ID and ARCHIVE_SECRET_ACCESS_KEY, and remove it from ARCHIVE_URL.',
    }
  }
  const shown = /^[\w.-]{1,40}$/.test(name) ? `"${name}"` : 'a parameter'
  const near = nearest(name, parameters)
  return {
    part: 'parameter',
    message: `ARCHIVE_URL contains ${shown}, which is unknown and ignored.`,
    suggestion: near === null ? 'Parameters are endpoint and region.' : `Write ${near}=...`,
  }
}

function addressOf(
  bucket: string,
  prefix: string,
  endpoint: string | null,
  region: string | null,
): S3Address | ArchiveUrlFault {
  const base = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
  if (region !== null && !regionForm.test(region)) {
    const message = 'ARCHIVE_URL: the region may contain letters, digits and "-".'
    return { part: 'region', message, suggestion: `Write ${base}?endpoint=https://...&region=${usualRegion}` }
  }
  if (endpoint === null) {
    const own = region ?? usualRegion
    const domain = own.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
    return { bucket, prefix, endpoint: `https://s3.${own}.${domain}`, region: own }
  }
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  const corrected = (host: string): string =>
    `Write ${base}?endpoint=${host}${region === null ? '' : `&region=${region}`}`
  if (url === null || !/^https?:$/.test(url.protocol) || url.host === '') {
    const host = /^(?:\w+:\/*)?([\w.-]+(?::\d{1,5})?(?:\/[\w.-]+)*)\/?$/.exec(endpoint)?.[1] ?? 'host'
    const message = 'ARCHIVE_URL: the endpoint is not an address that begins with "https://".'
    return { part: 'endpoint', message, suggestion: corrected(`https://${host}`) }
  }
  const plain = `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    const message = 'ARCHIVE_URL: the endpoint contains more than a host, a port and a path.'
    return { part: 'endpoint', message, suggestion: corrected(plain) }
  }
  if (url.hostname.startsWith(`${bucket}.`)) {
    const message =
      'ARCHIVE_URL: the host of the endpoint begins with the name of the bucket, which is added to its path.'
    return { part: 'endpoint', message, suggestion: corrected(plain.replace(`//${bucket}.`, '//')) }
  }
  return { bucket, prefix, endpoint: plain, region: region ?? regionOf(url.hostname) ?? usualRegion }
}

/** Hosts that name their region: `s3.eu-central-1.amazonaws.com`, `s3.us-west-004.backblazeb2.com`. */
function regionOf(host: string): string | null {
  if (host.endsWith('.r2.cloudflarestorage.com')) return 'auto'
  return /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}-[a-z0-9-]+-\d+)\./.exec(host)?.[1] ?? null
}

/** `behind`: what follows the last "@". */
function keyInUrl(behind: string): ArchiveUrlFault {
  const shown = /^[\w.-]+(?:\/[\w.-]+)*/.exec(behind)?.[0] ?? 'bucket/prefix'
  return {
    part: 'user',
    message: 'ARCHIVE_URL contains an access key, which would be seen wherever the address is.',
    suggestion: `Set ARCHIVE_ACCESS_KEY_ID and ARCHIVE_SECRET_ACCESS_KEY, and write s3://${shown}?endpoint=https://...&region=...`,
  }
}

function readFileUrl(text: string): ArchiveUrlReading {
  const [, slashes = '', rest = ''] = /^file:(\/*)(.*)$/is.exec(text) ?? []
  if (slashes.length === 2 && rest.startsWith('localhost/')) return readPath(rest.slice('localhost'.length))
  if (slashes.length === 0 || slashes.length === 2) {
    const [path = ''] = rest.replace(/^[./]+/, '').split(/[?#]/)
    return failed({
      part: 'path',
      message: 'ARCHIVE_URL: the path of the folder must begin with "/", so that three slashes follow "file:".',
      suggestion: `Write file:///${/^[\w./-]+$/.test(path) ? path : 'folder'}`,
    })
  }
  return readPath(`/${rest}`)
}

function readPath(given: string): ArchiveUrlReading {
  const path = decoded(given).replace(/\/+$/, '')
  const fault = (message: string, suggestion: string): ArchiveUrlReading =>
    failed({ part: 'path', message, suggestion })
  if (path === '') return fault('ARCHIVE_URL: an archive cannot be the root folder.', 'Write file:///folder')
  if (/[?#]/.test(given)) return fault('ARCHIVE_URL: a folder has no parameters.', 'Write file:///folder')
  if (/\p{Cc}/u.test(path) || path.split('/').some((one) => one === '..' || one === '.')) {
    return fault(
      'ARCHIVE_URL: the path contains "..", "." or control characters.',
      'Write file:///folder, with the whole path.',
    )
  }
  return { place: { kind: 'folder', path: path.replace(/\/{2,}/g, '/') }, notes: [] }
}

function failed(fault: ArchiveUrlFault): ArchiveUrlReading {
  return { place: null, fault }
}
