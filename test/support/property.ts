import fc from 'fast-check'

/**
 * fast-check with a seed that is always the same: a run can be repeated, and a build does not fail for what it did not
 * change. `TEST_SEED=random` tries other values; a failure names the seed, which `TEST_SEED` takes.
 */
const { TEST_SEED = '20261128' } = process.env

if (TEST_SEED !== 'random') fc.configureGlobal({ seed: Number(TEST_SEED) })

export default fc
