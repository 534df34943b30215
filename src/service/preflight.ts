import { createServer } from 'node:http'
import type { LoadedCollections } from '../collection/declaration/load.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedTarget } from '../database/address/config.ts'
import { inspectTarget } from '../database/store/inspect-target.ts'
import { dataFolders, inspectDataDirectory } from '../disk/data-directory.ts'
import { inspectAdminToken } from '../http/admin/admin-token.ts'
import { ListenError, listenOn } from '../http/server/listen.ts'
import { readCollections } from './active-config.ts'
import type { Resolution } from './resolve.ts'

/** What is known before a database is opened. */
export interface Preflight {
  readonly collections: LoadedCollections['collections']
  /** The files that would be used now; null where there is none. */
  readonly paths: { readonly primary: string | null; readonly fallback: string | null }
  /** Of the resolution, and what inspecting found. */
  readonly problems: readonly Problem[]
}

/** Inspects what a resolution names: folders, files, collections, the host, as a start does. Changes nothing; never rejects. */
export async function inspectResolution(found: Resolution, cwd: string): Promise<Preflight> {
  const { resolved, config } = found
  const { collections, admin, http } = resolved.settings
  const folders = dataFolders(resolved.settings, cwd)
  const inspect = async (target: ResolvedTarget | null) =>
    target === null ? { problems: [], path: null } : await inspectTarget(target)
  const [loaded, data, token, primary, fallback, host] = await Promise.all([
    readCollections(collections.dir, cwd, resolved.isSet('collections.dir')),
    inspectDataDirectory(folders, resolved.originOf('data.dir')),
    inspectAdminToken(admin.token, folders),
    inspect(config.primary),
    inspect(config.fallback),
    hostProblems(http.host),
  ])
  return {
    collections: loaded.collections,
    paths: { primary: primary.path, fallback: fallback.path },
    problems: [
      ...found.problems,
      ...data.problems,
      ...token,
      ...primary.problems,
      ...fallback.problems,
      ...host,
      ...loaded.problems,
    ],
  }
}

/** Found by binding the host for a moment, with any port: that of the service may be in use by the service. */
async function hostProblems(host: string): Promise<readonly Problem[]> {
  const server = createServer()
  try {
    const { problem } = await listenOn(server, 0, host)
    return problem === null ? [] : [problem]
  } catch (error) {
    if (error instanceof ListenError) return []
    throw error
  } finally {
    server.close()
  }
}
