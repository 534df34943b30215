/** What a driver may use, as `holdfast/driver-kit`. The contract itself is `holdfast/driver`. */

export type { SettingDeclaration, SettingDeclarations } from '../../config/driver-settings.ts'
export { nearest } from '../../config/nearest.ts'
export type { Origin, Problem, Severity } from '../../config/problem.ts'
export { Secret } from '../../config/secret.ts'
export type { FaultCondition, Settings } from '../../config/settings.ts'
export { claimFolder, folderRefusal, freeBytes, makeDirectory, syncFolder } from '../../disk/data-directory.ts'
export { nearestExisting } from '../../disk/disk.ts'
export type { Life, Role } from '../address.ts'
export {
  type ArchivePosition,
  type ArchiveSource,
  archivedLife,
  archiveGapCode,
  type Cut,
  type EmbeddedArchive,
  type FileProof,
  type FileRebuild,
  type FileSnapshot,
  fileSharedCode,
  type MissingFile,
  type TableProof,
} from '../facet/archive.ts'
export { type Attempts, claimKnownCode } from '../facet/attempts.ts'
export {
  type Copy,
  type CopyChange,
  type CopyGlance,
  type CopyOutcome,
  type CopySource,
  type CopyState,
  type CopyView,
  copyReadOnlyCode,
} from '../facet/copy.ts'
export type { Embedded } from '../facet/embedded.ts'
export {
  type ChunkDigest,
  type CopiedTable,
  type FedRow,
  type FedRows,
  type Feed,
  type FeedConnection,
  otherSourceCode,
  type RowDigest,
  type TableSize,
  versionColumn,
} from '../facet/feed.ts'
export {
  decimalOf,
  type Image,
  type ImageColumn,
  type ImageKind,
  type ImageTable,
  scaledInteger,
} from '../facet/image.ts'
export {
  type Entry,
  type Journal,
  type JournalCounts,
  type JournalPortion,
  type JournalView,
  journalFullCode,
  type RowHistory,
  type RunStatement,
  restingCode,
} from '../facet/journal.ts'
export type { LocalRows } from '../facet/local-rows.ts'
export type { Refusal, Replay, RowRemoval, RowUpdate } from '../facet/replay.ts'
export { requestKnownCode, requestTable } from '../facet/requests.ts'
export type { SchemaLock } from '../facet/schema-lock.ts'
export { clustersDifferCode, type KeptStanding, type Standing, syncWaitCancelledCode } from '../facet/standing.ts'
export type { ReadNote, Row, Statement, Statements, Value, WriteNote, Written } from '../facet/statements.ts'
export { type Fault, FaultError, type FaultKind, type Phase, type TableRule } from '../fault.ts'
export type { EntityManager, MikroORM, Options, OrmOptions, SqlEntityManager } from '../orm.ts'
export { type FindAddresses, hostsByAddress } from './address/addresses.ts'
export type { AddressDialect, ServerTarget } from './address/dialect.ts'
export { formatHost, type Host, type HostDefect, type HostsReading, labelOfHost, readHosts } from './address/hosts.ts'
export {
  type AddressOptions,
  commonReaders,
  type ParameterReader,
  type ParameterTable,
  readParameters,
  reportInvalid,
  reportUnused,
} from './address/parameters.ts'
export { type AddressCode, addressProblems } from './address/problems.ts'
export { readAddress, readTarget } from './address/reader.ts'
export { parseWith, type Report, reportUnusualName } from './address/report.ts'
export { decodePart, lettersOf, type PartParameters } from './address/split.ts'
export {
  chooseTls,
  isOff,
  libpqTls,
  modeOf,
  modesOf,
  switchMode,
  type Tls,
  type TlsDialect,
  type TlsFile,
  type TlsMode,
  tlsSettings,
} from './address/tls.ts'
export { findTlsProblems, loadTls, readPem, type TlsMaterial, tlsOrder } from './address/tls-files.ts'
export { type TlsLimits, tlsLimitReaders } from './address/tls-limits.ts'
export { type ClientPart, loadClient, missingClient } from './client-part.ts'
export {
  codeOf,
  commonError,
  createFaultReader,
  type FaultDialect,
  type FaultReader,
  inPhase,
  messageOf,
  rolledBackError,
  silentError,
  timeoutError,
} from './fault-reader.ts'
export { commonFaults, type FaultMeaning, nodeFaults } from './fault-table.ts'
export { type ConnectionHooks, createLeaseDriver, type LeaseDialect, type Portions } from './lease.ts'
export { isolatedOrmOptions } from './orm-options.ts'
export { ConnectionPool, type PoolParts, poolClosedError } from './pool.ts'
export type { Evictable, PooledClient } from './pooled-client.ts'
export { type ConnectionHook, type OrmPool, type PooledConnectionParts, pooledConnection } from './pooled-connection.ts'
export { AnswerSize } from './primary/answer-size.ts'
export {
  OwnTables,
  type OwnTablesDialect,
  ownFormat,
  ownTablesProblems,
  type RequestsState,
  type TablesClient,
  type TablesFacts,
  type TablesRights,
  type Upgrade,
} from './primary/own-tables.ts'
export {
  claimError,
  columnUnknownCode,
  dateOf,
  partsOf,
  type RowBatch,
  rowBatchesOf,
  sumOf,
} from './primary/row-batches.ts'
export { markOf, type RowMark } from './primary/row-mark.ts'
export {
  type FeedAnswer,
  type FeedQuery,
  type FeedSession,
  type KeyRange,
  ServerFeedConnection,
  sourceColumn,
  type TableQueries,
} from './primary/server-feed.ts'
export { faultError, readError } from './read-error.ts'
export { type ProofClient, ServerCandidate, type ServerCandidateParts, withSignal } from './server-candidate.ts'
export { type EnginePool, ServerEngine, type ServerEngineParts } from './server-engine.ts'
export { type CandidateModule, serverMembers } from './server-members.ts'
export { pinnedSocket, resetSocket } from './socket.ts'
export { LateError, StatementTurns } from './statement-turns.ts'
export {
  createStatements,
  type FailedStatement,
  type PairDialect,
  type StatementDialect,
} from './statements.ts'
export { TransactionScope } from './transaction-scope.ts'
