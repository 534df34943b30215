import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What the kernel knows of a process: for tests that trust nothing that it says of itself. Linux only. */

/** The targets of its open descriptors: paths, sockets, pipes. */
export function descriptors(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      // Closed between the two looks.
      return []
    }
  })
}

/** The ports of TCP on which it listens. */
export function listeningPorts(pid: number): readonly number[] {
  const own = new Set(descriptors(pid).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
  return sockets().flatMap(({ port, state, inode }) => (state === '0A' && own.has(inode) ? [port] : []))
}

/** How many connections to this port are open, seen from its own side. */
export function connectionsTo(port: number): number {
  return sockets().filter((socket) => socket.port === port && socket.state === '01').length
}

/** The processes that it started and that still live. */
export function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

function sockets(): readonly { readonly port: number; readonly state: string; readonly inode: string }[] {
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/net/${file}`, 'utf8').split('\n').slice(1))
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const port = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)
    return Number.isNaN(port) ? [] : [{ port, state: fields[3] ?? '', inode: fields[9] ?? '' }]
  })
}
