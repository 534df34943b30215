import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { ClusterKind } from './cluster-kind.ts'

/** A program or file that a cluster is made of, and Debian's package that has it. */
export interface Requirement {
  readonly name: string
  readonly package: string
  /** Where it may lie besides the folders of PATH. */
  readonly folders: readonly string[]
}

const postgresFolders = [18, 17, 16, 15, 14, 13].map((version) => `/usr/lib/postgresql/${version}/bin`)
const system = ['/usr/sbin', '/usr/local/sbin', '/usr/bin']

const requirements: Readonly<Record<ClusterKind, readonly Requirement[]>> = {
  patroni: [
    { name: 'patroni', package: 'patroni', folders: system },
    { name: 'etcd', package: 'etcd-server', folders: system },
    { name: 'haproxy', package: 'haproxy', folders: system },
    ...['initdb', 'postgres', 'pg_basebackup', 'pg_rewind'].map((name) => ({
      ...{ name, package: 'postgresql', folders: postgresFolders },
    })),
  ],
  galera: [
    { name: 'mariadbd', package: 'mariadb-server-core', folders: system },
    { name: 'mariadb-install-db', package: 'mariadb-server-core', folders: system },
    { name: 'my_print_defaults', package: 'mariadb-client-core', folders: system },
    { name: 'libgalera_smm.so', package: 'galera-4', folders: ['/usr/lib/galera', '/usr/lib64/galera-4'] },
    { name: 'wsrep_sst_rsync', package: 'mariadb-server', folders: system },
    { name: 'rsync', package: 'rsync', folders: system },
  ],
}

/** The path of what a cluster needs, by its name; null: it is not there. */
export function findRequired(kind: ClusterKind, name: string, path: string = process.env.PATH ?? ''): string | null {
  const wanted = requirements[kind].find((one) => one.name === name)
  if (wanted === undefined) throw new Error(`unreachable: ${name} is none of the requirements of ${kind}`)
  const folders = [...path.split(delimiter).filter(Boolean), ...wanted.folders]
  const file = folders.map((folder) => join(folder, name)).find((one) => existsSync(one))
  // The programs of PostgreSQL lie beside each other, not beside the links to some of them.
  return file === undefined ? null : realpathSync(file)
}

/** The same where `missingFor` found nothing. */
export function requiredPath(kind: ClusterKind, name: string): string {
  const path = findRequired(kind, name)
  if (path === null) throw new Error(`unreachable: ${name} was found before`)
  return path
}

/** What this machine lacks for a cluster, as a sentence; null: nothing. */
export function missingFor(
  kind: ClusterKind,
  find: (kind: ClusterKind, name: string) => string | null = findRequired,
): string | null {
  const missing = requirements[kind].filter(({ name }) => find(kind, name) === null)
  if (missing.length === 0) return null
  const names = missing.map((one) => `${one.name} (${one.package})`).join(', ')
  const packages = [...new Set(missing.map((one) => one.package))].join(' ')
  const scripts = missing.some(({ name }) => name === 'wsrep_sst_rsync') ? ` ${scriptsHint}` : ''
  return `Missing for ${kind}: ${names}. On Debian: apt-get install --no-install-recommends ${packages}.${scripts}`
}

const scriptsHint =
  'The wsrep_sst scripts alone are enough: apt-get download mariadb-server, dpkg-deb -x, and put the folder usr/bin into PATH.'
