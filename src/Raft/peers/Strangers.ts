/**
 * Bounds the work that strangers cause before they have proven themselves: how many shake hands at once, in all and from
 * one address, and how often the log tells of one that was refused.
 */
import { Clock, Effect } from "effect"
import * as AddressCount from "./AddressCount.ts"

/** How many connections may shake hands at once. The node sends further strangers away (503). */
export const handshakesMaxCount = 64
/** How many of them may come from one address, so that one host does not keep the peers of others out. */
export const handshakesOfOneMaxCount = 8
/** How many may come from this host, on which all nodes of a cluster may run. */
export const handshakesOfThisHostMaxCount = 32
/** The log tells of at most one refused stranger in this time. */
const warnIntervalNanos = 1_000_000_000n

/** The strangers of one node. */
export interface Strangers extends AddressCount.AddressCount {
  /** Warns of a refused stranger. Within a second of the last warning the line is for debugging only. */
  readonly warn: (line: string) => Effect.Effect<void>
}

/** Begins without any. */
export const makeStrangers = (): Strangers => {
  const { admit } = AddressCount.make({
    max: handshakesMaxCount,
    ofOneAddressMax: handshakesOfOneMaxCount,
    ofThisHostMax: handshakesOfThisHostMaxCount
  })
  let warnedNanos: bigint | undefined
  return {
    admit,
    warn: Effect.fnUntraced(function* (line) {
      const nowNanos = yield* Clock.monotonicTimeNanos
      if (warnedNanos !== undefined && nowNanos - warnedNanos < warnIntervalNanos) return yield* Effect.logDebug(line)
      warnedNanos = nowNanos
      yield* Effect.logWarning(line)
    })
  }
}
