import { after, before, describe } from 'node:test'
import { noMariadb, startMariadb } from '../support/servers/mariadb.ts'
import { noPostgres, startPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import type { Server } from './bench.ts'

/** A server that can be lost. */
export interface RunningServer extends Server {
  /** Never answers again; what it had committed is there when it starts. */
  kill(): Promise<void>
  /** On the same port. */
  start(): Promise<void>
}

/** How one kind of server says what the tests need. */
export interface Kind {
  readonly name: 'PostgreSQL' | 'MariaDB'
  /** A name as it stands in a statement. */
  quoted(name: string): string
  /** Statements after which `audit` has a row for each attempt that a change of `everything` left there. */
  readonly audit: readonly string[]
}

const postgresql: Kind = {
  name: 'PostgreSQL',
  quoted: (name) => `"${name}"`,
  audit: [
    'create table audit (row_id text, attempt text, operation text)',
    `create function audited() returns trigger language plpgsql as $$ begin
      if tg_op = 'DELETE' then insert into audit values (old.id, old.holdfast_attempt, 'delete'); return old; end if;
      insert into audit values (new.id, new.holdfast_attempt, lower(tg_op)); return new; end $$`,
    'create trigger audited before insert or update or delete on everything for each row execute function audited()',
  ],
}

const mariadb: Kind = {
  name: 'MariaDB',
  quoted: (name) => `\`${name}\``,
  audit: [
    'create table audit (row_id varchar(40), attempt varchar(40), operation varchar(10))',
    `create trigger audited_i before insert on everything for each row insert into audit values (new.id, new.holdfast_attempt, 'insert')`,
    `create trigger audited_u before update on everything for each row insert into audit values (new.id, new.holdfast_attempt, 'update')`,
    `create trigger audited_d before delete on everything for each row insert into audit values (old.id, old.holdfast_attempt, 'delete')`,
  ],
}

/** Registers tests for each kind of server that is installed, or one of them, on a private one. */
export function onServers(
  title: string,
  tests: (server: () => RunningServer, kind: Kind) => void,
  only?: Kind['name'],
): void {
  for (const [kind, skip, start] of [
    [postgresql, noPostgres, startPostgres],
    [mariadb, noMariadb, startMariadb],
  ] as const) {
    if (only !== undefined && only !== kind.name) continue
    describe(`${title} on ${kind.name}`, { skip }, () => {
      const cleanup = cleanupOf(after)
      let server: RunningServer | null = null
      before(async () => {
        server = await start(cleanup)
      })
      const started = (): RunningServer => {
        if (server === null) throw new Error('The server has not started.')
        return server
      }
      tests(started, kind)
    })
  }
}
