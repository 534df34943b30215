import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Cleanup, cleanLater, removeDir } from '../../support/temp.ts'
import { signalTree } from './daemon.ts'

/**
 * Ends every process in whose command line the folder stands, and removes the folder, with `t` or with this process,
 * however it ends: the agents of a cluster start servers of their own, which outlive them.
 */
export function sweepWithUs(t: Cleanup, dir: string): void {
  const child = spawn('/bin/sh', ['-c', sweeper, 'sweeper', dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    // Whatever the PATH of this process lacks.
    env: { PATH: '/usr/bin:/bin' },
  })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  cleanLater(t, async () => {
    // Twice: an agent may have started one meanwhile.
    for (const _ of [1, 2]) for (const pid of runningIn(dir)) signalTree(pid, 'SIGKILL')
    await removeDir(dir)
    child.stdin.end('ended\n')
  })
}

/** The processes in whose command line the folder stands. */
function runningIn(dir: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      const [command, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
      return pid !== process.pid && !(command === '/bin/sh' && args[1] === sweeper) && args.join(' ').includes(dir)
    } catch {
      return false
    }
  })
}

/** Its input ends with the process that started it. */
const sweeper = `
read -r said && exit 0
for at in /proc/[0-9]*; do
  pid=\${at#/proc/}
  [ "$pid" != "$$" ] && grep -q -- "$1" "$at/cmdline" 2>/dev/null || continue
  kill -STOP "$pid"
  kill -KILL $(cat "$at/task/$pid/children") "$pid"
done
rm -rf -- "$1"
`
