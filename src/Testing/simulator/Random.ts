/** The choices of a simulated run: one sequence of numbers for each seed. Pure but for that sequence. */

/** The next number of the sequence, in [0, 1). */
export type Random = () => number

/** Mulberry32: small, fast, and the same on every runtime. */
export const make = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** An integer in [0, `end`). */
export const below = (random: Random, end: number): number => Math.floor(random() * end)

export const isChosen = (random: Random, chance: number): boolean => random() < chance

/** Picks one element. The list must not be empty. */
export const pick = <A>(random: Random, from: ReadonlyArray<A>): A => from[below(random, from.length)]!
