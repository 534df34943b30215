import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Megabytes of memory that a process holds. */
export function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

/** Sockets that a process has open. */
export function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((fd) => linkOf(`${folder}/${fd}`).startsWith('socket:')).length
}

/** Files and sockets that a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // It was closed since it was listed.
    return ''
  }
}

/** How fast numbers grow over time: the slope of the straight line with the least squares, per unit of `at`. */
export function slopeOf(points: readonly { readonly at: number; readonly value: number }[]): number {
  const n = points.length
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / n
  const mean = points.reduce((sum, { value }) => sum + value, 0) / n
  const over = points.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - mean), 0)
  return over / points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0)
}
