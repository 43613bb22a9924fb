/** How a simulated run ends when something does not hold: like a broken invariant, by a throw that only Simulator.ts catches. */

export const fail = (message: string): never => {
  throw new Error(message)
}
