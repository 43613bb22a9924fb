/**
 * What meets the nodes of a test's cluster besides partitions and crashes: messages that are lost, late or doubled, links
 * that are cut in one direction, disks that are slow or fail. Set by the test, drawn from the cluster's seed.
 */
import type { Random } from "effect"
import type * as MemoryNetwork from "../Raft/peers/MemoryNetwork.ts"

/** What happens to messages between nodes. */
export interface Weather {
  /** Of a thousand messages, so many are lost. */
  readonly lostPerMille?: number
  /** Of a thousand messages, so many arrive twice. */
  readonly twicePerMille?: number
  /** How long a message is on its way at most; 3 ms unless given. */
  readonly latencyMaxMs?: number
  /** Links that lose everything in this direction, and say nothing of it. */
  readonly silent?: ReadonlyArray<{ readonly from: string; readonly to: string }>
}

/** How long a message is on its way: drawn for each, evenly. */
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
      // Fair weather draws nothing: what a seed decided before there was any other is decided still.
      if (lostPerMille === 0 && twicePerMille === 0) return "arrives"
      const drawn = random.nextDoubleUnsafe() * 1000
      if (drawn < lostPerMille) return "lost"
      return drawn < lostPerMille + twicePerMille ? "twice" : "arrives"
    }
  }
  return sky
}
