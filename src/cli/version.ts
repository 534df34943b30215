import { readFile } from 'node:fs/promises'

/** The release, from the package.json that is above this file: one folder up in the build, two in the sources, more in the library. */
export async function readVersion(): Promise<string> {
  for (const up of ['../', '../../', '../../../', '../../../../']) {
    const text = await readFile(new URL(`${up}package.json`, import.meta.url), 'utf8').catch(() => null)
    if (text === null) continue
    const { name, version } = JSON.parse(text)
    if (name === 'holdfast') return String(version)
  }
  return 'unknown'
}
