import type { OpenFile } from './open-file.ts'

/** The open file behind a MikroORM connection. Kept outside of it: `Connection` copies and wipes its own options. */
export const openFiles: WeakMap<object, OpenFile> = new WeakMap()
