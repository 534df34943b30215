import { MariaDbPlatform, MySqlPlatform } from '@mikro-orm/mariadb'
import type { Platform } from '@mikro-orm/sql'
import { SafeSchemaHelper } from './schema-helper.ts'

/**
 * By its bytes, trailing blanks and all: so 'ABC' is not 'abc', and 'a' not 'a ', in keys and comparisons, as in every
 * other store. Servers before MySQL 8 and MariaDB 10.2 have no such collation but one that forgets the blanks.
 */
export function collationOf(version: string): string {
  if (version === '' || /mariadb/i.test(version)) return 'utf8mb4_nopad_bin'
  return Number.parseInt(version, 10) >= 8 ? 'utf8mb4_0900_bin' : 'utf8mb4_bin'
}

/** A date and time as the server writes it, without a zone. */
const bareInstant = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?$/

/** `text` ends at 65,535 bytes, about a fifteenth of what a field may hold. */
const longText = 'mediumtext'

/** MikroORM's platform of MariaDB, with instants in UTC wherever they are parsed, and room for long texts. */
export class SafeMariaDbPlatform extends MariaDbPlatform {
  protected override readonly schemaHelper: SafeSchemaHelper = new SafeSchemaHelper(this)

  override getTextTypeDeclarationSQL(): string {
    return longText
  }

  override getMappedType(type: string): ReturnType<Platform['getMappedType']> {
    return super.getMappedType(plainText(type))
  }

  override parseDate(value: string | number): Date {
    return super.parseDate(inUtc(value))
  }
}

/** The same of MySQL. */
export class SafeMySqlPlatform extends MySqlPlatform {
  override getTextTypeDeclarationSQL(): string {
    return longText
  }

  override getMappedType(type: string): ReturnType<Platform['getMappedType']> {
    return super.getMappedType(plainText(type))
  }

  override parseDate(value: string | number): Date {
    return super.parseDate(inUtc(value))
  }
}

/** MikroORM knows only `text`; the others are unknown to it. */
function plainText(type: string): string {
  return /^(?:tiny|medium|long)text\b/i.test(type) ? 'text' : type
}

function inUtc(value: string | number): string | number {
  return typeof value === 'string' && bareInstant.test(value) ? `${value.replace(' ', 'T')}Z` : value
}
