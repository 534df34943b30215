import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Cleanup, cleanLater } from '../../support/temp.ts'

/**
 * A proxy before a PostgreSQL without TLS that passes each refusal (ErrorResponse) on at once, and what follows it
 * (ReadyForQuery) only `lateMs` later: PostgreSQL itself sends the two apart, and the network may hold the second back.
 */
export async function startLateReady(
  t: Cleanup,
  target: { readonly port: number },
  lateMs: number,
): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(target.port, '127.0.0.1')
    for (const socket of [client, server]) {
      sockets.add(socket.setNoDelay(true))
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', (bytes) => server.write(bytes))
    const split = splitter(lateMs, (bytes) => client.destroyed || client.write(bytes))
    server.on('data', split)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
  return { port: address.port }
}

/** Whole messages are passed on in their order; after a refusal the next ones wait. */
function splitter(lateMs: number, pass: (bytes: Buffer) => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let isHeld = false
  const go = (): void => {
    while (!isHeld && rest.length >= 5) {
      const length = 1 + rest.readUInt32BE(1)
      if (rest.length < length) return
      const message = rest.subarray(0, length)
      rest = rest.subarray(length)
      pass(message)
      if (message[0] === 0x45) hold()
    }
  }
  const hold = (): void => {
    isHeld = true
    setTimeout(() => {
      isHeld = false
      go()
    }, lateMs)
  }
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    go()
  }
}
