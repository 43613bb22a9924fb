/**
 * How fast the clients of a load ask. They ask without a pause in the gate. Elsewhere they leave the cores to the nodes that
 * start, vote and catch up meanwhile: so all tests that wait for those are over sooner. overload.test.ts never pauses.
 */
import { Effect } from "effect"
import { isFull } from "../support/measure.ts"

/** All clients of a load together ask so often in a second. */
const requestsPerSecond = 250

/** The pause of one of so many clients between two requests. */
export const pause = (clientCount: number): Effect.Effect<void> =>
  isFull ? Effect.void : Effect.sleep((1_000 * clientCount) / requestsPerSecond)
