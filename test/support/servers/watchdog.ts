import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'

const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const { pid } of living) {
    if (pid === undefined) continue
    for (const one of [...childrenOf(pid), pid]) signalTo(one, 'SIGKILL')
  }
})

/** Ends a server, its children and its folder `dir` when this process ends, however it ends. The folder stands in the server's command line. */
export function endWithUs(child: ChildProcess, dir: string): void {
  living.add(child)
  const ended = watch(child.pid, dir)
  child.once('exit', () => {
    living.delete(child)
    ended()
  })
}

/** The processes that one has made. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** To one that may have ended by itself. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

/** Reads a line when the server has ended by itself; the end of its input is the end of this process, however it came. */
const watchdog = `
read -r said && exit 0
grep -q -- "$2" "/proc/$1/cmdline" || exit 0
kill -STOP "$1"
kill -KILL $(cat "/proc/$1/task/$1/children") "$1"
rm -rf -- "$2"
`

/**
 * A process in a session of its own, which outlives this one by a moment: no hook runs at a SIGKILL, and a server would
 * go on. What it gives is to be called once the server has ended: its number may soon be that of another process.
 */
function watch(pid: number | undefined, dir: string): () => void {
  if (pid === undefined) return () => {}
  const args = ['-c', watchdog, 'watchdog', String(pid), dir]
  const child = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return () => child.stdin.end('ended\n')
}
