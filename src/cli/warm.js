/**
 * Run while an image is built: starts the service once, on a port and a folder of its own, asks it for its collections
 * and ends it. Node keeps what it compiled next to the build, where the image's user may read but not write; and an image
 * whose service does not start is not built. Plain JavaScript.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './runtime.js'

const limitMs = 30_000
const dir = mkdtempSync(join(tmpdir(), 'holdfast-warm-'))
const service = spawn('/bin/sh', [join(root, 'src/cli/start.sh')], {
  cwd: root,
  env: { ...process.env, DATA_DIR: dir, HOST: '127.0.0.1', PORT: '0', LOG_FORMAT: 'json', LOG_LEVEL: 'info' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const limit = setTimeout(() => service.kill('SIGKILL'), limitMs)
const ended = once(service, 'close')
try {
  const port = await listening()
  const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' } })
  const collections = await fetch(`http://127.0.0.1:${port}/api/feedback`)
  console.log(`The service starts: / answers ${page.status}, a collection ${collections.status}.`)
  if (page.status !== 200 || collections.status >= 500) process.exitCode = 1
} finally {
  service.kill('SIGTERM')
  const [code] = await ended
  clearTimeout(limit)
  rmSync(dir, { recursive: true, force: true })
  if (code !== 0) process.exitCode = 1
}

/**
 * The port in the log; rejects with what was printed when the process ends first.
 *
 * @returns {Promise<string>}
 */
function listening() {
  return new Promise((resolve, reject) => {
    let printed = ''
    service.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text
      const port = /"event":"http\.listening".*?"port":(\d+)/.exec(printed)?.[1]
      if (port) resolve(port)
    })
    ended.then(() => reject(new Error(`The service ended before it listened.\n${printed}`)))
  })
}
