/** Columns that a terminal is taken to have. */
export const columns = 80

/**
 * Text broken at blanks into lines of at most 80 columns, each behind `indent` blanks. A word that is longer stands
 * alone, unbroken: a path or an address is there to be copied.
 */
export function wrap(text: string, indent: number): string[] {
  const margin = ' '.repeat(indent)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > columns) {
      lines.push(margin + line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, margin + line]
}

/** Rows as aligned columns, two blanks apart, behind two blanks; a column is at most `widest` wide before it pushes. */
export function table(rows: readonly (readonly string[])[], widest = 34): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, at) => {
      if (cell.length <= widest) widths[at] = Math.max(widths[at] ?? 0, cell.length)
    })
  }
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
}
