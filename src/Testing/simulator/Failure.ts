/** Ends a simulated run when a check fails: it throws, like a broken invariant, and only Simulator.ts catches. */

/** The explicit type tells the compiler that nothing follows a call. */
export const fail: (message: string) => never = (message) => {
  throw new Error(message)
}
