/** A small deterministic generator: a failing test prints its seed, and runs from it again. */
export const seeded = (seed: number) => {
  let state = seed >>> 0
  const below = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  return { below, pick: <A>(choices: readonly [A, ...ReadonlyArray<A>]): A => choices[below(choices.length)]! }
}
