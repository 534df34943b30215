import { styleText } from 'node:util'

/** What a piece of text is for a person who looks at it. */
export type Tone = 'heading' | 'error' | 'warning' | 'info' | 'faint'

/** Colours a text, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string

const styles = { heading: 'bold', error: 'red', warning: 'yellow', info: 'cyan', faint: 'dim' } as const

/** Colours for a terminal that has them; NO_COLOR is respected. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (tone, text) => styleText(styles[tone], text, { stream })
}

/** No colours at all. */
export const plain: Paint = (_, text) => text
