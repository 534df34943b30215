import { stringify } from 'csv-stringify/sync'
import type { FieldKind } from '../../collection/declaration/declaration.ts'

/** What a spreadsheet would take for a formula, with the forms of full width that some read as the same. */
const formula = /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/

/** The records of a file for spreadsheets (RFC 4180). Text that begins like a formula gets a `'`, or opening the file would compute it. */
export function csvText(records: readonly (readonly (string | null)[])[]): string {
  return stringify(
    records.map((record) => [...record]),
    { record_delimiter: 'windows' },
  )
}

/** A value in a field of a record, from its JSON. */
export function csvValue(kind: FieldKind, json: string): string | null {
  if (json === 'null') return null
  const value: unknown = json.startsWith('"') ? JSON.parse(json) : json
  const text = String(value)
  // Numbers have a sign; that of exact ones is in text, too.
  return kind === 'text' && formula.test(text) ? `'${text}` : text
}
