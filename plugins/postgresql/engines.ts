import type { Problem } from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlTarget } from './address/target.ts'

/** An engine that speaks PostgreSQL's protocol and is another one, or changes what tables are. */
export interface KindredEngine {
  /** Stands in `Facts.version`. */
  readonly name: string
  /** Rows have a system column `xmin`, by which a copy knows their versions. */
  readonly hasRowVersions: boolean
  /** Advisory locks exclude each other. */
  readonly hasLocks: boolean
  /** What is lost on it. */
  readonly loss: string
}

const alike = { hasRowVersions: false, hasLocks: false } as const
const loss =
  'It has no xmin, so no copy of its rows is kept, and no advisory locks, so changes of tables by several processes at once may fail.'

const kindred = {
  cockroach: { ...alike, name: 'CockroachDB', loss },
  yugabyte: { ...alike, name: 'YugabyteDB', loss },
  citus: {
    ...{ name: 'Citus', hasRowVersions: true, hasLocks: true },
    loss: 'Holdfast creates its tables on the coordinator; each unique key of a table that you distribute must contain its distribution column.',
  },
} as const

/** What a server says of its software. */
export interface SoftwareSeen {
  /** `version()`. */
  readonly software: string
  /** `server_version`. */
  readonly version: string
  readonly citus: boolean
}

/** The version for people; it names the engine where that is not PostgreSQL itself. */
export function versionText({ software, version, citus }: SoftwareSeen): string {
  const cockroach = /^CockroachDB\b.*?\bv(\d[\w.]*)/.exec(software)?.[1]
  if (cockroach !== undefined) return `${kindred.cockroach.name} ${cockroach}`
  const yugabyte = /-YB-(\d[\w.]*)/.exec(software)?.[1]
  if (yugabyte !== undefined) return `${kindred.yugabyte.name} ${yugabyte}`
  return citus ? `${version} with ${kindred.citus.name}` : version
}

/** The engine of a `Facts.version`; null: PostgreSQL. */
export function engineOf(version: string): KindredEngine | null {
  return Object.values(kindred).find(({ name }) => version.includes(name)) ?? null
}

/** Says that no test has run on an engine; louder where somebody asks. */
export function untestedProblem(
  { name, loss: lost }: KindredEngine,
  { driver, setting, origin }: PostgresqlTarget,
  isAsked: boolean,
): Problem {
  return {
    ...{ code: 'ENGINE_UNTESTED', severity: isAsked ? 'warning' : 'info', driver, setting, origin, part: null },
    message: `The server is ${name}, on which no test of Holdfast has run. ${lost}`,
    suggestion: 'Use PostgreSQL, or rehearse an outage with this database before you rely on it.',
  }
}
