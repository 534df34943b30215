/** What package.json names to MikroORM's command line, which accepts TypeScript only through a loader; Node needs none. */
export { configure as default } from './orm-options.ts'
