import type { FaultyServer, ServerKind } from './stage.ts'
import { serviceUser } from './stage.ts'

/** One change of a row of `item` in the primary, as a trigger saw it. */
export interface AuditLine {
  /** Grows with each change; of one row's changes always in their order, which its lock gives them. */
  readonly sequence: number
  /** Milliseconds since 1970, on the clock of this machine. */
  readonly atMs: number
  /** Whether a service made the change; else another client. */
  readonly isService: boolean
  readonly id: string
  readonly operation: 'insert' | 'update' | 'delete'
  readonly oldAttempt: string | null
  readonly newAttempt: string | null
  readonly oldToken: string | null
  readonly newToken: string | null
}

/** A parked entry in the primary. */
export interface ParkedLine {
  readonly attempt: string
  readonly id: string
  readonly operation: string
  readonly reason: string
  /** The token of the version that was parked; null for a delete. */
  readonly token: string | null
  /** How it was settled; null: it was not. */
  readonly settledAs: string | null
}

const columns = 'id, op, old_attempt, new_attempt, old_token, new_token'

const postgresql = `
  create schema audit;
  create table audit.line (
    seq bigserial primary key, at float8 not null default extract(epoch from clock_timestamp()) * 1000,
    who text not null default session_user, id text, op text, old_attempt text, new_attempt text, old_token text, new_token text
  );
  create index on audit.line (at);
  create function audit.note() returns trigger language plpgsql security definer as $$ begin
    if tg_op = 'UPDATE' and old.id <> new.id then
      insert into audit.line (${columns}) values (old.id::text, 'delete', old.holdfast_attempt::text, null, old.token, null),
        (new.id::text, 'insert', null, new.holdfast_attempt::text, null, new.token);
      return null;
    end if;
    insert into audit.line (${columns}) values (coalesce(new.id, old.id)::text, lower(tg_op), old.holdfast_attempt::text,
      new.holdfast_attempt::text, old.token, new.token);
    return null;
  end $$;
  create trigger audit after insert or update or delete on item for each row execute function audit.note();
`

function mysql(database: string): readonly string[] {
  const audit = `${database}_audit`
  const note = (values: string): string =>
    `insert into ${audit}.line (at, who, ${columns}) values (unix_timestamp(sysdate(6)) * 1000, user(), ${values})`
  const trigger = (operation: string, text: string): string =>
    `create trigger audit_${operation} after ${operation} on item for each row ${text}`
  const inserted = note("new.id, 'insert', null, new.holdfast_attempt, null, new.token")
  const updated = note("new.id, 'update', old.holdfast_attempt, new.holdfast_attempt, old.token, new.token")
  const deleted = note("old.id, 'delete', old.holdfast_attempt, null, old.token, null")
  return [
    `create database ${audit}`,
    `create table ${audit}.line (seq bigint auto_increment primary key, at double not null, who varchar(200) not null, ` +
      'id varchar(40), op varchar(10), old_attempt varchar(40), new_attempt varchar(40), ' +
      'old_token varchar(300), new_token varchar(300), index (at)) character set utf8mb4',
    trigger('insert', inserted),
    // Another id is another row.
    trigger('update', `if old.id = new.id then ${updated}; else ${deleted}; ${inserted}; end if`),
    trigger('delete', deleted),
  ]
}

/** The audit of one database: what was done to the table `item`, in order, whoever did it. */
export class Audit {
  readonly #kind: ServerKind
  readonly #server: FaultyServer
  readonly #database: string

  constructor(kind: ServerKind, server: FaultyServer, database: string) {
    this.#kind = kind
    this.#server = server
    this.#database = database
  }

  get #table(): string {
    return this.#kind === 'postgresql' ? 'audit.line' : `${this.#database}_audit.line`
  }

  /** Writes the triggers. The table is there. */
  async install(): Promise<void> {
    if (this.#kind === 'postgresql') await this.#server.query(postgresql, this.#database)
    else for (const text of mysql(this.#database)) await this.#server.query(text, this.#database)
  }

  async lines(): Promise<readonly AuditLine[]> {
    const rows = await this.#server.query(`select * from ${this.#table} order by seq`, this.#database)
    return rows.map((row) => ({
      sequence: Number(row.seq),
      atMs: Number(row.at),
      isService: String(row.who).split('@')[0] === serviceUser.user,
      id: String(row.id),
      operation: String(row.op) as AuditLine['operation'], // Written by the trigger.
      oldAttempt: textOf(row.old_attempt),
      newAttempt: textOf(row.new_attempt),
      oldToken: textOf(row.old_token),
      newToken: textOf(row.new_token),
    }))
  }

  /** The sequences of the changes of which the statements came since then. */
  async sequencesSince(atMs: number): Promise<readonly number[]> {
    const rows = await this.#server.query(`select seq from ${this.#table} where at > ${atMs}`, this.#database)
    return rows.map(({ seq }) => Number(seq))
  }

  /** What is parked; nothing while the table is not there. */
  async parked(): Promise<readonly ParkedLine[]> {
    const rows = await this.#server
      .query("select * from holdfast_conflict where collection = 'item' order by attempt, entry", this.#database)
      .catch((error: Error) => {
        if (/holdfast_conflict/.test(error.message)) return []
        throw error
      })
    return rows.map((row) => ({
      attempt: String(row.attempt),
      id: String(row.row_id),
      operation: String(row.operation),
      reason: String(row.reason),
      token: tokenIn(row.ours),
      settledAs: textOf(row.settled_as),
    }))
  }
}

function tokenIn(image: unknown): string | null {
  if (typeof image !== 'string') return null
  const { token } = JSON.parse(image) as { readonly token?: unknown } // An image: an object by column.
  return textOf(token)
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}
