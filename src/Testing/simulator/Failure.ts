/** How a simulated run ends when something does not hold: like a broken invariant, by a throw that only Simulator.ts catches. */

/** Its type is written out, so that the compiler knows that nothing follows a call. */
export const fail: (message: string) => never = (message) => {
  throw new Error(message)
}
