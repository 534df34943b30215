import { type EntityProperty, type Platform, Type } from '@mikro-orm/core'
import { keepsIntegersOnly } from '../../database/store/integers-only.ts'
import { decimalOf, scaledInteger } from '../../driver/facet/image.ts'
import { canonicalDecimal } from '../declaration/canonical.ts'

/** What clients give for a decimal: text, or the integer that the database keeps. */
type Raw = string | number | bigint | null

/**
 * MikroORM's type of a `decimal`: exact text with as many digits behind the point as its column has, in every database. A
 * value with more of them is a TypeError.
 */
export class DecimalText extends Type<string | null, Raw> {
  override convertToDatabaseValue(value: string | null, platform: Platform): Raw {
    if (value === null || value === undefined) return value
    const text = canonicalDecimal(String(value), this.#scale)
    if (text === null) throw new TypeError(`"${value}" is not a decimal with ${this.#scale} digits behind the point.`)
    return keepsIntegersOnly(platform) ? String(scaledInteger(text)) : text
  }

  override convertToJSValue(raw: Raw, platform: Platform): string | null {
    if (raw === null || raw === undefined) return raw
    return keepsIntegersOnly(platform) ? decimalOf(raw, this.#scale) : String(raw)
  }

  override getColumnType(property: EntityProperty, platform: Platform): string {
    if (!keepsIntegersOnly(platform)) return platform.getDecimalTypeDeclarationSQL(property)
    // The type of the column remembers the scale, which the integers do not show.
    return `${platform.getBigIntTypeDeclarationSQL(property)}(${property.precision},${this.#scale})`
  }

  override compareAsType(): string {
    return 'string'
  }

  get #scale(): number {
    return this.prop?.scale ?? 0
  }
}
