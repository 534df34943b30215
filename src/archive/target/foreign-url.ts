import { maskAddress } from '../../config/mask.ts'

/** What is wrong with the text, or what it could do better. Holds no secret. */
export interface ArchiveUrlFault {
  readonly part: string | null
  /** Sentences. */
  readonly message: string
  readonly suggestion: string
}

/** Stores of other kinds that also speak S3. */
const alsoS3: Readonly<Record<string, string>> = {
  gs: 'endpoint=https://storage.googleapis.com&region=auto',
  gcs: 'endpoint=https://storage.googleapis.com&region=auto',
  r2: 'endpoint=https://<account>.r2.cloudflarestorage.com&region=auto',
  b2: 'endpoint=https://s3.<region>.backblazeb2.com&region=<region>',
}

/** What a web address of a bucket is as s3://. */
const webForms: readonly (readonly [RegExp, (...found: string[]) => string])[] = [
  [
    /^https:\/\/(?:www\.)?huggingface\.co\/buckets\/([\w.-]+)\/([\w.-]+)((?:\/[\w.-]+)*)\/?$/i,
    (space, bucket, prefix) => `s3://${bucket}${prefix}?endpoint=https://s3.hf.co/${space}&region=us-east-1`,
  ],
  [
    /^https:\/\/s3\.hf\.co\/([\w.-]+)\/([\w.-]+)((?:\/[\w.-]+)*)\/?$/i,
    (space, bucket, prefix) => `s3://${bucket}${prefix}?endpoint=https://s3.hf.co/${space}&region=us-east-1`,
  ],
  [
    /^https:\/\/([\w.-]+)\.s3[.-]([a-z0-9-]+)\.amazonaws\.com((?:\/[\w.-]+)*)\/?$/i,
    (bucket, region, prefix) => `s3://${bucket}${prefix}?region=${region}`,
  ],
  [
    /^(https?:\/\/[\w.-]+(?::\d{1,5})?)\/([\w.-]+)((?:\/[\w.-]+)*)\/?$/i,
    (endpoint, bucket, prefix) => `s3://${bucket}${prefix}?endpoint=${endpoint}&region=us-east-1`,
  ],
]

/** What to write in place of an address that is neither s3:// nor file://. Total; holds no secret. */
export function foreignUrl(text: string, scheme: string | null): ArchiveUrlFault {
  const usual = 'Write s3://bucket/prefix?endpoint=https://...&region=..., or file:///folder'
  if (scheme === null) {
    const isRelative = /^\.{1,2}\/|^~/.test(text)
    if (isRelative)
      return {
        part: 'path',
        message: 'ARCHIVE_URL: the path of the folder is not absolute.',
        suggestion: 'Write file:///folder, with the whole path.',
      }
    return { part: 'scheme', message: 'ARCHIVE_URL has no scheme.', suggestion: usual }
  }
  const shown = /^[a-z][a-z0-9+.-]{0,20}$/.test(scheme) ? `"${scheme}://"` : 'the scheme'
  const named = /^(?:hf:\/\/)?buckets\/([\w.-]+)\/([\w.-]+)((?:\/[\w.-]+)*)\/?$/i.exec(text)
  if (named !== null) {
    const [, space = '', bucket = '', prefix = ''] = named
    return {
      part: 'scheme',
      message: `ARCHIVE_URL: ${shown} is not a scheme of archives; the bucket has an S3-compatible address.`,
      suggestion: `Write s3://${bucket}${prefix}?endpoint=https://s3.hf.co/${space}&region=us-east-1`,
    }
  }
  if (scheme === 'http' || scheme === 'https') return webUrl(text, usual)
  const parameters = Object.hasOwn(alsoS3, scheme) ? alsoS3[scheme] : undefined
  const [, bucket = 'bucket/prefix'] = /^\w+:\/\/([\w.-]+(?:\/[\w.-]+)*)\/?$/.exec(maskAddress(text)) ?? []
  return {
    part: 'scheme',
    message: `ARCHIVE_URL: ${shown} is not a scheme of archives. Archives are S3-compatible buckets and folders.`,
    suggestion: parameters === undefined ? usual : `Write s3://${bucket}?${parameters}`,
  }
}

function webUrl(text: string, usual: string): ArchiveUrlFault {
  const message = 'ARCHIVE_URL is a web address; an archive is given by its bucket and endpoint.'
  for (const [form, corrected] of webForms) {
    const found = form.exec(text)
    if (found !== null) return { part: 'scheme', message, suggestion: `Write ${corrected(...found.slice(1))}` }
  }
  return { part: 'scheme', message, suggestion: usual }
}
