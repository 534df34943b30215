const [lineFeed, carriageReturn, space, colon] = [0x0a, 0x0d, 0x20, 0x3a]

const contentLength = Buffer.from('content-length')
const transferEncoding = Buffer.from('transfer-encoding')

/**
 * Where the HTTP/1.1 answer at the start of `bytes` ends; -1 when it is not complete in the first `length` of them. An
 * answer that only the end of the connection ends is never complete. Reads bytes, since it runs for each answer of a load.
 */
export function endOfAnswer(bytes: Uint8Array, length: number): number {
  let bodyLength = -1
  let isChunked = false
  let at = afterLine(bytes, 0, length)
  while (at !== -1 && bytes[at] !== carriageReturn) {
    if (isHeader(bytes, at, length, contentLength))
      bodyLength = readDecimal(bytes, at + contentLength.length + 1, length)
    // No server of ours has another coding.
    else if (isHeader(bytes, at, length, transferEncoding)) isChunked = true
    at = afterLine(bytes, at, length)
  }
  if (at === -1 || at + 2 > length) return -1
  const bodyAt = at + 2
  const status = statusOf(bytes)
  if (status === 204 || status === 304) return bodyAt
  if (isChunked) return endOfChunks(bytes, bodyAt, length)
  return bodyLength === -1 || bodyAt + bodyLength > length ? -1 : bodyAt + bodyLength
}

/** The status of an answer whose first line is there. */
export function statusOf(bytes: Uint8Array): number {
  return readDecimal(bytes, 'HTTP/1.1 '.length, bytes.length)
}

function endOfChunks(bytes: Uint8Array, start: number, length: number): number {
  let at = start
  while (at < length) {
    const size = Number.parseInt(
      Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(16, length - at)).toString('latin1'),
      16,
    )
    at = afterLine(bytes, at, length)
    if (at === -1) return -1
    if (size === 0) return endOfTrailers(bytes, at, length)
    at += size + 2
  }
  return -1
}

function endOfTrailers(bytes: Uint8Array, start: number, length: number): number {
  let at = start
  while (at !== -1 && at < length && bytes[at] !== carriageReturn) at = afterLine(bytes, at, length)
  return at === -1 || at + 2 > length ? -1 : at + 2
}

/** The start of the next line; -1 when this one is not complete, or nothing follows it. */
function afterLine(bytes: Uint8Array, from: number, length: number): number {
  for (let at = from; at < length; at += 1) if (bytes[at] === lineFeed) return at + 1
  return -1
}

function isHeader(bytes: Uint8Array, from: number, length: number, name: Uint8Array): boolean {
  if (from + name.length >= length || bytes[from + name.length] !== colon) return false
  // The bit that makes an ASCII letter small; a hyphen has it.
  for (let at = 0; at < name.length; at += 1) if (((bytes[from + at] ?? 0) | 0x20) !== name[at]) return false
  return true
}

function readDecimal(bytes: Uint8Array, from: number, length: number): number {
  let value = 0
  for (let at = from; at < length; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit >= 0 && digit <= 9) value = value * 10 + digit
    else if (bytes[at] !== space || value > 0) break
  }
  return value
}
