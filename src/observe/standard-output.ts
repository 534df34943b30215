import type { LogOutput } from './logs.ts'

/** How much may wait for a slow reader; later lines are dropped and counted. */
const maxWaitingBytes = 8 * 1024 * 1024
/** A stalled reader must not keep the process from exiting. */
const flushLimitMs = 1_000
/** What a pipe takes whole or not at all (PIPE_BUF): other processes that write to it split no line. */
const batchLength = 4_096

/**
 * Standard output for the log. Never blocks and never throws: lines are dropped if the reader is gone and wait, up to a
 * limit, if it is slow. `flush` resolves when all is written, or after a second.
 *
 * Lines that can wait are written together at the end of the turn of the event loop: a write takes longer than all else in
 * a line. They are also written before a line that cannot wait, by `flush`, and when the process exits, by itself,
 * by `process.exit` or with an uncaught error. A process that is killed, or that crashes in native code, loses those of the
 * current turn and no others.
 */
export function createStandardOutput(stream: NodeJS.WriteStream = process.stdout): LogOutput {
  let dropped = 0
  let batch = ''
  let batchLines = 0
  const writeBatch = () => {
    const [text, lines] = [batch, batchLines]
    batch = ''
    batchLines = 0
    if (text === '') return
    if (!stream.writable || stream.writableLength > maxWaitingBytes) dropped += lines
    else {
      if (dropped > 0)
        stream.write(
          `{"level":"warn","event":"log.dropped","msg":"Dropped ${dropped} log lines because the reader was too slow."}\n`,
        )
      dropped = 0
      stream.write(text)
    }
  }
  stream.on('error', ignore)
  process.on('exit', writeBatch)
  return {
    isTTY: stream.isTTY === true,
    write(text, canWait) {
      if (batch.length + text.length > batchLength) writeBatch()
      if (canWait && batch === '') setImmediate(writeBatch)
      batch += text
      batchLines += 1
      if (!canWait) writeBatch()
    },
    async flush() {
      writeBatch()
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
