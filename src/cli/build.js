/**
 * Builds `dist/`: the process and the command line as bundles (a start costs a third of what it costs from modules),
 * and in `dist/lib` the library as modules with types, whose dependencies stay outside.
 *
 * `--optional` (npm's `prepare`): succeeds without a build where what it takes is absent, and tidies the install. `--stale`: only when something
 * has changed since the last build. The new build takes the old one's place whole.
 */
import { spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, join } from 'node:path'
import { isBuilt, stamp } from './entry.js'
import { root } from './runtime.js'

/** Packages that stay outside of the bundles: native code, and what MikroORM imports only if it is installed. */
const external = [
  'better-sqlite3',
  'dataloader',
  'tinyglobby',
  'thread-stream',
  // What pg imports only if it is installed, or where there are no sockets.
  'pg-native',
  'cloudflare:sockets',
]

/** Packages that are CommonJS call `require`, which a module does not have. */
const requireBanner = "const require=process.getBuiltinModule('node:module').createRequire(import.meta.url);"

if (!process.argv.includes('--stale') || !isBuilt()) await build()
if (process.argv.includes('--optional')) removeHeaders()

async function build() {
  const absent = absentPackages()
  if (absent.length > 0) {
    const why = `Not built: these packages are not installed: ${absent.join(', ')}.`
    if (!process.argv.includes('--optional')) throw new Error(`${why} "npm ci" without --omit brings them.`)
    // Not to the log of the service that is about to start.
    console.error(`${why} Holdfast runs from ${existsSync(stamp) ? 'the build that is there' : 'its sources'}.`)
    return
  }
  const esbuild = await import('esbuild')
  const fresh = join(root, `.dist-${process.pid}`)
  try {
    const validator = await compileValidator(esbuild, fresh)
    await Promise.all([bundle(esbuild, fresh, validator), compileLibrary(join(fresh, 'lib'))])
    copyDocs(join(fresh, 'docs'))
    const now = new Date().toISOString()
    writeFileSync(join(fresh, basename(stamp)), `${JSON.stringify({ built: now, node: process.versions.node })}\n`)
    replace(fresh, join(root, 'dist'))
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/**
 * What the page of the documentation loads, with its licences.
 *
 * @param {string} folder
 */
function copyDocs(folder) {
  mkdirSync(folder)
  const files = ['swagger-ui-bundle.js', 'swagger-ui.css', 'swagger-ui-bundle.js.LICENSE.txt', 'LICENSE', 'NOTICE']
  for (const file of files) copyFileSync(join(root, 'node_modules/swagger-ui-dist', file), join(folder, file))
}

/** Node's C headers, which come with the bundled Node: 67 MB that nothing reads, since nothing is compiled against them. */
function removeHeaders() {
  const packages = join(root, 'node_modules/node/node_modules')
  if (!existsSync(packages)) return
  for (const name of readdirSync(packages)) rmSync(join(packages, name, 'include'), { recursive: true, force: true })
}

/** The packages that a build needs and that are not installed: bundler, compiler, Swagger UI, and the optional clients, which are bundled. */
function absentPackages() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const wanted = ['esbuild', 'typescript', 'swagger-ui-dist', ...Object.keys(optionalDependencies)]
  return wanted.filter((name) => !existsSync(join(root, 'node_modules', name)))
}

/**
 * The validator of declarations as a module's text.
 *
 * @param {typeof import('esbuild')} esbuild
 * @param {string} outdir
 * @returns {Promise<string>}
 */
async function compileValidator(esbuild, outdir) {
  const outfile = join(outdir, 'compiled-validator.js')
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['src/collection/declaration/compiled-validator.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: requireBanner },
    plugins: [requiredLater()],
  })
  const { compiledValidator } = await import(outfile)
  rmSync(outfile)
  return compiledValidator()
}

/**
 * @param {typeof import('esbuild')} esbuild
 * @param {string} outdir
 * @param {string} validator
 */
async function bundle(esbuild, outdir, validator) {
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: { main: 'src/main.ts', cli: 'src/cli/main.ts' },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.17',
    // Next to `main.js`, wherever they are imported from: code that looks for its neighbours finds them from there.
    chunkNames: '[name]-[hash]',
    define: { HOLDFAST_BUNDLED: 'true' },
    banner: { js: requireBanner },
    external,
    plugins: [
      builtins(),
      replacing(/declaration-validator\.ts$/, validator),
      replacing(/bundled-drivers\.ts$/, driverImports()),
      requiredLater(),
    ],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/**
 * Node's own modules without `import`, which reads all exports of each: one of `node:http` loads Node's own client, one of
 * `node:fs` its streams. Only what the bundle uses is read.
 *
 * @returns {import('esbuild').Plugin}
 */
function builtins() {
  const namespace = 'builtin'
  return {
    name: 'builtins',
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, kind }) =>
        kind === 'import-statement' && isBuiltin(path)
          ? { path: path.replace(/^node:/, ''), namespace, sideEffects: false }
          : undefined,
      )
      build.onLoad({ filter: /./, namespace }, async ({ path }) => {
        const names = Object.keys(await import(`node:${path}`)).filter((name) => name !== 'default')
        // Marked as pure, an export that nothing imports is left out.
        const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})()`)
        const all = `const all = /* @__PURE__ */ process.getBuiltinModule('node:${path}')`
        return { contents: [all, 'export default all', ...exported].join('\n') }
      })
    },
  }
}

/**
 * What our sources `require` when they need it is part of the bundle, and evaluated then.
 *
 * @returns {import('esbuild').Plugin}
 */
function requiredLater() {
  return {
    name: 'required-later',
    setup(build) {
      build.onLoad({ filter: /\/src\/collection\/declaration\/ajv\.ts$/ }, ({ path }) => {
        const [text, later] = [readFileSync(path, 'utf8'), 'createRequire(import.meta.url)(']
        if (!text.includes(later)) throw new Error(`${path} requires nothing.`)
        return { contents: text.replaceAll(later, 'require('), loader: 'ts' }
      })
    },
  }
}

/**
 * A module whose text is another one in the bundle.
 *
 * @param {RegExp} filter
 * @param {string} contents
 * @returns {import('esbuild').Plugin}
 */
function replacing(filter, contents) {
  return {
    name: 'replacing',
    setup: (build) => build.onLoad({ filter }, () => ({ contents, resolveDir: root })),
  }
}

/** A module that imports each of the built-in drivers. What they load when they connect stays apart. */
function driverImports() {
  const names = readdirSync(join(root, 'plugins')).filter((name) => existsSync(join(root, pluginEntry(name))))
  const imports = names.map((name, at) => `import { driver as driver${at} } from './${pluginEntry(name)}'`)
  const entries = names.map((name, at) => `['${name}', driver${at}]`)
  return [...imports, `export const bundledDrivers = new Map([${entries.join(', ')}])`].join('\n')
}

/** @param {string} name */
function pluginEntry(name) {
  return `plugins/${name}/${name}.ts`
}

/**
 * Removes the types, which `npm run types` checks.
 *
 * @param {string} outDir
 * @returns {Promise<void>}
 */
function compileLibrary(outDir) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const args = [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', outDir]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`The compiler ended with ${code}.`))))
  })
}

/**
 * @param {string} fresh
 * @param {string} dist
 */
function replace(fresh, dist) {
  const old = `${fresh}-old`
  try {
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(fresh, dist)
  } catch (error) {
    // Another build was faster.
    if (!isBuilt()) throw error
  } finally {
    rmSync(old, { recursive: true, force: true })
  }
}
