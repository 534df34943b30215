import { type LayersFrom, readLayers } from '../config/layers.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import { chooseDataDirectory, dataFolders, inspectDataDirectory } from '../disk/data-directory.ts'
import { type AdminToken, ensureAdminToken } from '../http/admin/admin-token.ts'
import type { Log } from '../observe/logs.ts'
import { secretsIn } from '../observe/redaction.ts'
import type { Resolution } from './resolve.ts'
import { Service } from './service.ts'
import { version } from './version.ts'

/** The service that a process runs, with the data directory and the admin token that it found. It does not listen yet. */
export async function createProcessService(
  found: Resolution,
  log: Log,
  { env, cwd }: LayersFrom,
): Promise<{ readonly service: Service; readonly token: AdminToken }> {
  const { settings } = found.resolved
  const folders = dataFolders(settings, cwd)
  // A generated token is written there now; with a token from the settings nothing is created before it is needed.
  const find = settings.admin.token === null ? chooseDataDirectory : inspectDataDirectory
  const findData = (now: ResolvedSettings) => find(dataFolders(now.settings, cwd), now.originOf('data.dir'))
  const data = await findData(found.resolved)
  const token = await ensureAdminToken(data.path ?? folders[0] ?? cwd, settings.admin.token, folders)
  log.hide([token.token])
  const service = new Service(
    { observe: (seen) => log.observe(seen) },
    {
      ...{ cwd, found, token },
      data: { problems: data.problems, find: async (now) => (await findData(now)).problems },
      reread: () => readLayers({ env, cwd }),
      inForce: (fresh) => log.reconfigure(fresh.log, secretsIn(fresh)),
    },
  )
  return { service, token }
}

/** Logs what a service that has begun to listen starts with: token, problems, collections. */
export function announce(service: Service, { config }: Resolution, token: AdminToken, log: Log): void {
  const tookMs = performance.now()
  log.observe({ type: 'service.started', version, node: process.versions.node, pid: process.pid, tookMs })
  log.observe({ type: 'token.found', source: token.source })
  if (config.absence !== null) log.observe({ type: 'database.undeclared', why: config.absence })
  for (const problem of service.status().problems) log.observe({ type: 'problem.found', problem })
  for (const name of service.status().collections) {
    log.observe({ type: 'collection.loaded', name, path: `/api/${name}` })
  }
}
