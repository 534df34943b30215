import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { copyFile, cp, link, mkdir, readdir } from 'node:fs/promises'
import { basename, delimiter, dirname, join, relative, resolve } from 'node:path'
import { isRoot, repository, runProcess } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'
import { isInContext, parseCopy, parseDockerfile, type Stage } from './dockerfile.ts'

/** The last stage as it stands after its instructions: a folder that plays the image's root. */
export interface Image {
  readonly root: string
  readonly stage: Stage
  /** The working directory of its CMD, inside `root`. */
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
}

/** Called after each RUN with its text and the folder in which it ran. */
export type AfterRun = (text: string, cwd: string) => Promise<void>

/**
 * Does what a Dockerfile says, without an engine: each stage in a folder below `dir`, its commands run there. As an engine
 * does it, stages are built side by side until one copies from another.
 */
export async function rehearse(t: Cleanup, dir: string, afterRun: AfterRun = async () => {}): Promise<Image> {
  const images = new Map<string, Promise<Image>>()
  for (const stage of parseDockerfile(readFileSync(join(repository, 'Dockerfile'), 'utf8'))) {
    images.set(stage.name, build(stage, { t, dir, images: new Map(images), afterRun }))
  }
  const image = (await Promise.all(images.values())).at(-1)
  if (!image) throw new Error('The Dockerfile has no stage.')
  return image
}

/** What the stages of one rehearsal have in common, and those before this one. */
interface Rehearsal {
  readonly t: Cleanup
  readonly dir: string
  readonly images: ReadonlyMap<string, Promise<Image>>
  readonly afterRun: AfterRun
}

/** An absolute path of the image as it is on this machine. */
export function inImage(root: string, path: string): string {
  return join(root, path)
}

/** The Node of an image. */
export function nodeIn(root: string): string {
  return inImage(root, '/usr/local/bin/node')
}

async function build(stage: Stage, rehearsal: Rehearsal): Promise<Image> {
  const { t, dir, afterRun } = rehearsal
  const root = join(dir, stage.name)
  const env: Record<string, string> = {}
  let workdir = '/'
  let user = 'root'
  await mkdir(join(root, 'usr/local/bin'), { recursive: true })
  // The base image's Node, where another user may run it.
  await link(process.execPath, nodeIn(root)).catch(() => copyFile(process.execPath, nodeIn(root)))
  for (const { name, text } of stage.instructions) {
    const here = inImage(root, workdir)
    if (name === 'WORKDIR') {
      workdir = text
      await mkdir(inImage(root, workdir), { recursive: true })
    } else if (name === 'ENV') {
      const at = text.indexOf('=')
      const value = text.slice(at + 1).replace(/^"(.*)"$/, '$1')
      env[text.slice(0, at)] = value.startsWith('/') ? inImage(root, value) : value
    } else if (name === 'USER') user = text
    else if (name === 'COPY') await copy(text, rehearsal, here)
    else if (name === 'RUN') {
      await run(t, text, { root, cwd: here, env, user })
      await afterRun(text, here)
    }
  }
  return { root, stage, workdir: inImage(root, workdir), env, user }
}

/** COPY: a folder's contents, or files, from the context (what `.dockerignore` leaves) or from an earlier stage. */
async function copy(text: string, { dir, images }: Rehearsal, workdir: string): Promise<void> {
  const { from, sources, to } = parseCopy(text)
  if (from !== null) await images.get(from)
  const ignore = readFileSync(join(repository, '.dockerignore'), 'utf8')
  for (const source of sources) {
    const origin = from === null ? join(repository, source) : join(dir, from, source)
    if (!existsSync(origin)) throw new Error(`COPY ${text}: ${origin} is not there.`)
    const target = resolve(workdir, to)
    const isFolder = statSync(origin).isDirectory()
    await cp(origin, isFolder ? target : to.endsWith('/') ? join(target, basename(source)) : target, {
      recursive: true,
      filter: (path) => from !== null || isInContext(ignore, relative(repository, path).replaceAll('\\', '/')),
    })
  }
}

/** Where and how a RUN runs. */
interface Place {
  readonly root: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
}

/** What the stage that builds installs: what this repository has installed from the same lock file. */
const buildersInstall = 'npm ci --ignore-scripts'

/** The repository's packages, by links where that is possible: installing them again is a third of the whole rehearsal. */
async function linkPackages(cwd: string): Promise<void> {
  const script = 'cp -al "$0" "$1" 2>/dev/null || { rm -rf "$1/node_modules"; cp -a "$0" "$1"; }'
  const args = ['-c', script, join(repository, 'node_modules'), cwd]
  const [code] = await once(spawn('/bin/sh', args, { stdio: 'ignore' }), 'close')
  if (code !== 0) throw new Error(`The packages could not be copied (${code}).`)
}

/** RUN: in a shell, with this Node as the image's, absolute paths moved below the image's root. Without root nothing changes its owner. */
async function run(t: Cleanup, text: string, { root, cwd, env, user }: Place): Promise<void> {
  if (text.startsWith(buildersInstall)) {
    await linkPackages(cwd)
    text = text.replace(buildersInstall, 'true')
  }
  const local = text.replace(/(^|\s)(\/[a-z][\w/-]*)/g, (_, before, path) => `${before}${inImage(root, path)}`)
  const command = isRoot ? local : local.replace(/\bchown [^&]+/g, 'true ')
  const result = await runProcess(t, {
    cwd,
    command: '/bin/sh',
    args: ['-ec', command],
    env: {
      ...env,
      PATH: [dirname(nodeIn(root)), process.env.PATH].join(delimiter),
      npm_config_prefer_offline: 'true',
      ...registryEnvironment(),
      PORT: undefined,
      HOST: undefined,
    },
    withinMs: 180_000,
    ...(user === 'root' ? {} : { uid: Number(user), give: false }),
  })
  if (result.code !== 0) throw new Error(`RUN ${text} ended with ${result.code}.\n${result.stdout}${result.stderr}`)
}

/** How this machine reaches its package registry, and what it has of it; in a clean environment npm would not know. */
function registryEnvironment(): Record<string, string> {
  const known =
    /^(home|npm_config_(registry|cache|cafile|userconfig|globalconfig)|https?_proxy|no_proxy|node_extra_ca_certs)$/i
  const entries = Object.entries(process.env).filter((one): one is [string, string] => known.test(one[0]) && !!one[1])
  return Object.fromEntries(entries)
}

/** Every file below a folder with its size and time: two of these are equal when nothing was written between them. */
export async function snapshot(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const { size, mtimeMs } = statSync(path)
      return `${relative(dir, path)} ${size} ${mtimeMs}`
    })
    .sort()
}
