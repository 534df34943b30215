import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { type Cleanup, cleanLater } from '../temp.ts'

/** A connection of another program to the same database. */
export interface OtherSession {
  run(sql: string): Promise<void>
}

/** Opens it; closed when the test ends. */
export async function openSession(t: Cleanup, url: string): Promise<OtherSession> {
  if (url.startsWith('postgres')) {
    const client = new Client(url)
    await client.connect()
    cleanLater(t, () => client.end())
    return { run: async (sql) => void (await client.query(sql)) }
  }
  const client = await createConnection(url.replace('mariadb:', 'mysql:'))
  cleanLater(t, () => client.end())
  return { run: async (sql) => void (await client.query(sql)) }
}
