import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { repository } from '../../support/process.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'

/**
 * Bundles the process under test from the sources in `tree`, as the build bundles the service, into a folder that ends with
 * `t`; the path of its entry. From a hundred modules each start takes twice as long.
 */
export async function bundleProgram(t: Cleanup, tree: string = repository): Promise<string> {
  // In the repository's own folder, where its packages are found.
  const built = join(repository, 'dist')
  await mkdir(built, { recursive: true })
  const outdir = await makeTempDir(t, 'faults', built)
  const plugin = (name: string) => [`plugins/${name}/${name}`, `plugins/${name}/${name}.ts`]
  await build({
    absWorkingDir: tree,
    entryPoints: {
      application: 'test/faults/application.ts',
      ...Object.fromEntries(['sqlite', 'postgresql', 'mysql'].map(plugin)),
    },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    define: { HOLDFAST_BUNDLED: 'true' },
    banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
    external: ['better-sqlite3', 'dataloader', 'tinyglobby', 'thread-stream', 'pg-native', 'cloudflare:sockets'],
  })
  return join(outdir, 'application.js')
}
