/** Where the parts of one member are reached. */
export interface MemberPorts {
  /** PostgreSQL's own, and that of the proxy before it, which all others use. */
  readonly server: number
  readonly serverProxy: number
  readonly agent: number
  readonly agentProxy: number
  /** Of the proxy between this member's agent and etcd. */
  readonly etcdProxy: number
}

/** The users of the cluster. */
export const users = {
  superuser: { username: 'postgres', password: 'super-secret' },
  replication: { username: 'replicator', password: 'replica-secret' },
  rewind: { username: 'rewinder', password: 'rewind-secret' },
} as const

/** The times of Patroni in the figures of the project. */
export const patroniTimes = { ttl: 10, loop_wait: 2, retry_timeout: 3 } as const

/** Patroni's configuration of one member; JSON is YAML. */
export function patroniConfig(name: string, dir: string, ports: MemberPorts, binaries: string): string {
  return JSON.stringify({
    scope: 'holdfast',
    namespace: '/service/',
    name,
    restapi: { listen: `127.0.0.1:${ports.agent}`, connect_address: `127.0.0.1:${ports.agentProxy}` },
    // As a proxy: else the agent asks etcd for its own address, and goes around ours.
    etcd3: { hosts: `127.0.0.1:${ports.etcdProxy}`, use_proxies: true },
    bootstrap: {
      dcs: {
        ...patroniTimes,
        maximum_lag_on_failover: 1_048_576,
        postgresql: {
          use_pg_rewind: true,
          use_slots: true,
          // Kept for members that are away for the length of a fault.
          parameters: { max_connections: 100, wal_keep_size: '256MB', wal_log_hints: 'on' },
        },
      },
      initdb: [{ encoding: 'UTF8' }, 'no-locale', 'data-checksums', 'no-sync'],
      pg_hba: [
        `host replication ${users.replication.username} 127.0.0.1/32 scram-sha-256`,
        'host all all 127.0.0.1/32 scram-sha-256',
      ],
    },
    postgresql: {
      listen: `127.0.0.1:${ports.server}`,
      connect_address: `127.0.0.1:${ports.serverProxy}`,
      data_dir: `${dir}/data`,
      bin_dir: binaries,
      basebackup: [{ checkpoint: 'fast' }, 'no-sync'],
      pgpass: `${dir}/pgpass`,
      authentication: users,
      parameters: {
        unix_socket_directories: dir,
        // A crash of the machine is none of the faults.
        fsync: 'off',
        shared_buffers: '32MB',
        dynamic_shared_memory_type: 'mmap',
        log_min_messages: 'warning',
        password_encryption: 'scram-sha-256',
      },
    },
    watchdog: { mode: 'off' },
  })
}

/** The lines for HAProxy that README shows, for members on ports of this machine. */
export function haproxyConfig(dir: string, port: number, members: readonly MemberPorts[]): string {
  const servers = members.map(
    ({ serverProxy, agentProxy }, at) => `  server m${at + 1} 127.0.0.1:${serverProxy} check port ${agentProxy}`,
  )
  return [
    ...['global', '  maxconn 1000', `  stats socket ${dir}/haproxy.sock`, 'defaults', '  mode tcp'],
    ...['  timeout connect 2s', '  timeout client 30m', '  timeout server 30m', '  timeout check 2s'],
    ...[
      'listen primary',
      `  bind 127.0.0.1:${port}`,
      '  option httpchk OPTIONS /primary',
      '  http-check expect status 200',
    ],
    '  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions',
    ...servers,
    '',
  ].join('\n')
}
