import { styleText } from 'node:util'

/** The assumed width of a terminal. */
export const columns = 80

/**
 * Text broken at blanks into lines of at most 80 columns, each indented. A longer word is not broken: paths and addresses
 * are there to be copied.
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

/** Rows as aligned columns, indented. Cells longer than `widest` do not widen their column. */
export function table(rows: readonly (readonly string[])[], widest = 34): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, at) => {
      if (cell.length <= widest) widths[at] = Math.max(widths[at] ?? 0, cell.length)
    })
  }
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
}

/** The role of a piece of text. */
export type Tone = 'heading' | 'error' | 'warning' | 'info' | 'faint'

/** Colours a text, or returns it unchanged. */
export type Paint = (tone: Tone, text: string) => string

const styles = { heading: 'bold', error: 'red', warning: 'yellow', info: 'cyan', faint: 'dim' } as const

/** Colours when the terminal has them; NO_COLOR is respected. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (tone, text) => styleText(styles[tone], text, { stream })
}

/** No colours. */
export const plain: Paint = (_, text) => text
