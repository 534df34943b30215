import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type Cleanup, cleanLater } from '../temp.ts'

/** A server that refuses with one ErrorResponse, as PostgreSQL does while it starts, ends or is full. */
export function refusing(code: string, message: string): (socket: Socket) => void {
  return afterStartup((socket) => socket.end(errorResponse(code, message)))
}

/** A server that lets everybody in, says that it is of this version, and answers nothing. */
export function ofVersion(version: string): (socket: Socket) => void {
  const ready = [
    message('R', Buffer.from([0, 0, 0, 0])),
    message('S', text('server_version', version)),
    message('K', Buffer.from([0, 0, 0, 1, 0, 0, 0, 2])),
    message('Z', Buffer.from('I')),
  ]
  return afterStartup((socket) => socket.write(Buffer.concat(ready)))
}

/** Anything on a free port of the loopback address; ends with `t`. */
export async function listenWith(t: Cleanup, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
  return address.port
}

/** Refuses TLS, as a server without does, then calls `then` when the startup packet has come. */
function afterStartup(then: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    let isStarted = false
    socket.on('data', (bytes) => {
      if (isStarted) return
      if (bytes.length === 8 && bytes.readUInt32BE(4) === sslRequest) {
        socket.write('N')
        return
      }
      isStarted = true
      then(socket)
    })
  }
}

const sslRequest = 80_877_103

function errorResponse(code: string, words: string): Buffer {
  const fields = ['SFATAL', 'VFATAL', `C${code}`, `M${words}`].map((field) => text(field))
  return message('E', Buffer.concat([...fields, Buffer.from([0])]))
}

function text(...words: readonly string[]): Buffer {
  return Buffer.concat(words.map((word) => Buffer.from(`${word}\0`)))
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
