/**
 * The weather of a test's cluster, besides partitions and crashes: lost, late or doubled messages, links that are cut in
 * one direction, disks that are slow or fail. The test sets it, and the cluster's seed draws it.
 */
import type { Random } from "effect"
import type * as MemoryNetwork from "../Raft/peers/MemoryNetwork.ts"

/** What happens to messages between nodes. */
export interface Weather {
  /** How many of a thousand messages are lost. */
  readonly lostPerMille?: number
  /** How many of a thousand messages arrive twice. */
  readonly twicePerMille?: number
  /** The longest delay of a message; 3 ms by default. */
  readonly latencyMaxMs?: number
  /** Links that silently lose everything in this direction. */
  readonly silent?: ReadonlyArray<{ readonly from: string; readonly to: string }>
}

/** The delay of one message, drawn evenly. */
const latencyMinMs = 0.1
const latencyMaxMs = 3

/** The weather of one cluster, which its network asks for each message. */
export interface Sky {
  weather: Weather
  readonly latencyMs: () => number
  readonly fateOf: (link: MemoryNetwork.MemoryLink) => MemoryNetwork.Fate
}

/** Fair weather, until the test says otherwise. */
export const makeSky = (random: Random.Random): Sky => {
  const sky: Sky = {
    weather: {},
    latencyMs: () => {
      const maxMs = sky.weather.latencyMaxMs ?? latencyMaxMs
      return latencyMinMs + random.nextDoubleUnsafe() * (maxMs - latencyMinMs)
    },
    fateOf: ({ from, to }) => {
      const { lostPerMille = 0, silent = [], twicePerMille = 0 } = sky.weather
      if (silent.some((link) => link.from === from && link.to === to)) return "lost"
      // Fair weather draws nothing, so that other choices of a seed do not depend on the weather.
      if (lostPerMille === 0 && twicePerMille === 0) return "arrives"
      const drawn = random.nextDoubleUnsafe() * 1000
      if (drawn < lostPerMille) return "lost"
      return drawn < lostPerMille + twicePerMille ? "twice" : "arrives"
    }
  }
  return sky
}
