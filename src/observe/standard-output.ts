import type { LogOutput } from './logs.ts'

/** How much may wait for a slow reader; later lines are dropped and counted. */
const maxWaitingBytes = 8 * 1024 * 1024
/** A stalled reader must not keep the process from exiting. */
const flushLimitMs = 1_000

/**
 * Standard output for the log. Never blocks and never throws: lines are dropped if the reader is gone and wait, up to a
 * limit, if it is slow. `flush` resolves when all is written, or after a second.
 */
export function createStandardOutput(stream: NodeJS.WriteStream = process.stdout): LogOutput {
  let dropped = 0
  stream.on('error', ignore)
  return {
    isTTY: stream.isTTY === true,
    write(text) {
      if (!stream.writable || stream.writableLength > maxWaitingBytes) dropped += 1
      else {
        if (dropped > 0)
          stream.write(
            `{"level":"warn","event":"log.dropped","msg":"Dropped ${dropped} log lines because the reader was too slow."}\n`,
          )
        dropped = 0
        stream.write(text)
      }
    },
    async flush() {
      if (!stream.writable || stream.writableLength === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushLimitMs)
      // Called when everything written before has been flushed.
      stream.write('', () => resolve())
      await promise
      clearTimeout(timer)
    },
  }
}

function ignore(): void {}
