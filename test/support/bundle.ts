import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { repository } from './process.ts'
import { type Cleanup, makeTempDir } from './temp.ts'

/**
 * Bundles a program of the tests with the service and the plugins from the sources in `tree`, as the build bundles the
 * service, into a folder that ends with `t`. Resolves with the path of its entry. From modules each start takes twice as long.
 */
export async function bundleProgram(t: Cleanup, program: string, tree: string = repository): Promise<string> {
  const name = basename(program, '.ts')
  // In the repository's own folder, where its packages are found.
  const built = join(repository, 'dist')
  await mkdir(built, { recursive: true })
  const outdir = await makeTempDir(t, name, built)
  const plugin = (one: string) => [`plugins/${one}/${one}`, `plugins/${one}/${one}.ts`]
  await build({
    absWorkingDir: tree,
    entryPoints: {
      [name]: program,
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
  return join(outdir, `${name}.js`)
}
