/**
 * How much the costly tests do. `npm test` does enough to find what breaks a promise; the gate does all
 * (`LITHAIR_TEST_FULL=1`). CONTRIBUTING.md, "Test".
 */

/** Whether tests do all that they can. */
export const isFull = process.env.LITHAIR_TEST_FULL === "1"
