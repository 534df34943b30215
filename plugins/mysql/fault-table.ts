import { commonFaults, type FaultMeaning } from '../../src/driver/kit/driver-kit.ts'

const auth: FaultMeaning = {
  kind: 'auth',
  summary: 'The server rejected the user or the password.',
  hint: 'Check both, and from which hosts the user may connect; with ssl-mode=DISABLED, check whether the server accepts encrypted connections only, which MariaDB reports in the same way.',
}

const clearPassword: FaultMeaning = {
  kind: 'auth',
  summary: 'The server asked for the password unencrypted. Holdfast did not send it.',
  hint: 'Check which server answers at the address, or use another authentication plugin than mysql_clear_password.',
}

const hostRefused: FaultMeaning = {
  kind: 'auth',
  summary: 'The server does not accept connections from this host.',
  hint: "Create the user for the host of this service, or for any host: 'user'@'%'.",
}

const noAccess: FaultMeaning = {
  kind: 'auth',
  summary: 'The user may not use this database.',
  hint: 'Grant it: GRANT ALL ON name.* TO user; and check the database name in the address.',
}

const expired: FaultMeaning = {
  kind: 'auth',
  summary: 'The password of the user has expired.',
  hint: 'Set a new one with ALTER USER.',
}

const blocked: FaultMeaning = {
  kind: 'unreachable',
  summary: 'The server has blocked this host after too many failed connections.',
  hint: 'Run FLUSH HOSTS on the server (or mariadb-admin flush-hosts), and find out what fails.',
}

const needsTls: FaultMeaning = {
  kind: 'tls',
  summary: 'The server accepts encrypted connections only.',
  hint: 'Write ssl-mode=REQUIRED, or VERIFY_IDENTITY with ssl-ca.',
}

/** A statement above max_allowed_packet. */
export const packet: FaultMeaning = {
  kind: 'statement',
  summary: 'The statement is larger than the server accepts.',
  hint: 'Raise max_allowed_packet on the server, or send less at a time.',
}

/** A server that accepts no writes, and has written nothing. */
export const writesRefused: FaultMeaning = { ...commonFaults.readOnly, undone: true }

/** A member of a cluster that is not part of it at the moment, and has written nothing. */
export const outsideCluster: FaultMeaning = { ...commonFaults.starting, undone: true }

/** By the server's error number. */
export const byNumber: ReadonlyMap<number, FaultMeaning> = new Map<number, FaultMeaning>([
  ...each(auth, 1045, 1251, 1275, 1524, 1698, 3118, 3955),
  ...each(hostRefused, 1130),
  ...each(noAccess, 1044),
  ...each(expired, 1820, 1862),
  ...each(commonFaults.noDatabase, 1046, 1049),
  ...each(blocked, 1129),
  ...each(commonFaults.unreachable, 1042, 1043, 2001, 2002, 2003, 2005, 2012),
  ...each(commonFaults.starting, 1047, 1053, 1077, 1079),
  ...each(commonFaults.lost, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 2006, 2013, 2055),
  ...each(commonFaults.terminated, 1927, 3169, 4031),
  ...each(needsTls, 3159, 4151),
  ...each(commonFaults.tls, 2026),
  ...each(commonFaults.capacity, 1037, 1038, 1040, 1041, 1135, 1203, 1226, 1461),
  ...each(commonFaults.diskFull, 20, 28, 1021, 1114),
  // 1180 may have come after the cluster had the transaction.
  ...each(commonFaults.conflict, 1180, 3058),
  ...each({ ...commonFaults.conflict, undone: true }, 1020, 1213, 1614, 3101, 3572),
  ...each({ ...commonFaults.locked, undone: true }, 1205, 1222),
  ...each(commonFaults.cancelled, 1317, 1969, 3024),
  // 1207 and 1792 are a session's own transactions, the others the server's setting.
  ...each({ ...commonFaults.readOnly, everywhere: true }, 1207, 1792),
  ...each(writesRefused, 1836, 3906),
  ...each(commonFaults.io, 2, 3, 5, 6, 1004, 1015, 1016, 1024, 1025, 1026, 1030, 1296),
  ...each(commonFaults.corrupt, 126, 127, 144, 145, 1033, 1034, 1194, 1195, 1712, 1877),
  ...each(commonFaults.unique, 1022, 1062, 1169, 1557, 1586, 1761, 1762),
  ...each(commonFaults.required, 1048, 1138, 1263, 1364),
  // 1644: what a trigger signals.
  ...each(commonFaults.check, 1644, 3819, 4025),
  ...each(commonFaults.reference, 1216, 1217, 1451, 1452),
  ...each(commonFaults.value, 1264, 1265, 1292, 1366, 1406, 1690, 3140),
  ...each(packet, 1153, 1162, 1301, 2020),
  ...each(commonFaults.denied, 1095, 1142, 1143, 1227, 1370),
])

function each(meaning: FaultMeaning, ...numbers: readonly number[]): readonly (readonly [number, FaultMeaning])[] {
  return numbers.map((number) => [number, meaning])
}

/** The numbers after which the connection is over; the change may have been committed before. */
export const endings: ReadonlySet<number> = new Set([
  1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2055, 3169, 4031,
])

/** The numbers of a commit that failed halfway; a cluster may have sent it to its other members. */
export const halfway: ReadonlySet<number> = new Set([1180])

/** The numbers with which the server rolled the whole transaction back. */
export const rollbacks: ReadonlySet<number> = new Set([1020, 1213, 1614, 3101])

/** The SQLSTATEs that our own statements signal for a claim that exists: of an attempt, and of a request. */
export const knownStates = { claimKnown: 'HF001', requestKnown: 'HF002' } as const

/** The number of a row whose key exists. */
export const duplicateKey = 1062

/** By mysql2's codes, where there is no number of the server. */
export const byCode: Readonly<Record<string, FaultMeaning>> = {
  PROTOCOL_CONNECTION_LOST: commonFaults.lost,
  PROTOCOL_ERROR: commonFaults.garbled,
  PROTOCOL_PACKETS_OUT_OF_ORDER: commonFaults.garbled,
  PROTOCOL_UNEXPECTED_PACKET: commonFaults.garbled,
  PROTOCOL_INCORRECT_PACKET_SEQUENCE: commonFaults.garbled,
  PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR: commonFaults.notSent,
  PROTOCOL_ENQUEUE_AFTER_QUIT: commonFaults.notSent,
  PROTOCOL_SEQUENCE_TIMEOUT: commonFaults.timeout,
  HANDSHAKE_NO_SSL_SUPPORT: commonFaults.noTls,
  HANDSHAKE_SSL_ERROR: commonFaults.tls,
  HANDSHAKE_UNKNOWN_ERROR: commonFaults.foreign,
  AUTH_SWITCH_PLUGIN_ERROR: auth,
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: clearPassword,
  ANSWER_TOO_LARGE: commonFaults.tooLarge,
}

/** mysql2's messages that come without a code. */
export const byMessage: readonly (readonly [RegExp, string, FaultMeaning])[] = [
  [/add new command when connection is in closed state/i, 'NOT_SENT', commonFaults.notSent],
  [/write in closed state/i, 'CONNECTION_CLOSED', commonFaults.lost],
  [/connection lost/i, 'CONNECTION_LOST', commonFaults.lost],
  [/inactivity timeout/i, 'QUERY_TIMEOUT', commonFaults.timeout],
  [/unexpected packet|packets out of order|expected EOF packet/i, 'SERVER_MISMATCH', commonFaults.foreign],
]
