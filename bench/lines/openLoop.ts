/** Writes that arrive at a fixed rate, whatever the answers do: latency as users see it who do not wait for each other. */
import { measure } from "../Measure.ts"
import type { Line } from "./Line.ts"

/** The most that are under way; others wait on the clock. */
const clientsMax = 1000

export const openLoop: Line = {
  title: "Open loop: writes at a fixed rate",
  run: ({ name, options, systems }) =>
    measure({
      ...options,
      line: name,
      systems,
      clients: [clientsMax],
      prepare: async ({ leader, system: { api } }) =>
        options.rates.map((ratePerSecond) => ({
          what: `${ratePerSecond} writes arrive each second`,
          ask: api.write(leader.url),
          ratePerSecond
        }))
    })
}
