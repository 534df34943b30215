import type { LogOutput } from './logs.ts'

/** So much may wait for a reader that has stopped reading; what comes after is dropped and counted. */
const maxWaitingBytes = 8 * 1024 * 1024
/** A reader that has stopped must not keep the process from its end. */
const flushLimitMs = 1_000

/**
 * Standard output for the log. Never blocks the service and never throws: when the reader is gone the lines are
 * dropped, when it is slow they wait, up to a limit. `flush` resolves when all is out, or after a second.
 */
export function createStandardOutput(stream: NodeJS.WriteStream = process.stdout): LogOutput {
  let dropped = 0
  stream.on('error', ignore)
  return {
    isTTY: stream.isTTY === true,
    write(text) {
      if (!stream.writable || stream.writableLength > maxWaitingBytes) dropped += 1
      else {
        if (dropped > 0) stream.write(`{"level":"warn","msg":"${dropped} lines of the log were dropped."}\n`)
        dropped = 0
        stream.write(text)
      }
    },
    async flush() {
      if (!stream.writable || stream.writableLength === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushLimitMs)
      // Called when everything that was written before has been taken.
      stream.write('', () => resolve())
      await promise
      clearTimeout(timer)
    },
  }
}

function ignore(): void {}
