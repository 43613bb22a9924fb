/**
 * Bounds the work that strangers cause before they have proven themselves: how many shake hands at once, in all and from
 * one address, and how often the log tells of one that was refused.
 */
import { Clock, Effect } from "effect"
import { isLoopback } from "./Handshake.ts"

/** How many connections may shake hands at once. The node sends further strangers away (503). */
export const handshakesMaxCount = 64
/** How many of them may come from one address, so that one host does not keep the peers of others out. */
export const handshakesOfOneMaxCount = 8
/** How many may come from this host, on which all nodes of a cluster may run. */
export const handshakesOfThisHostMaxCount = 32
/** The log tells of at most one refused stranger in this time. */
const warnIntervalNanos = 1_000_000_000n

/** The strangers of one node. */
export interface Strangers {
  /** Counts a stranger until the function it returns is called; undefined if there are too many. */
  readonly admit: (address: string) => (() => void) | undefined
  /** Warns of a refused stranger. Within a second of the last warning the line is for debugging only. */
  readonly warn: (line: string) => Effect.Effect<void>
}

/** Begins without any. */
export const makeStrangers = (): Strangers => {
  const byAddress = new Map<string, number>()
  let total = 0
  let warnedNanos: bigint | undefined
  return {
    admit: (address) => {
      const count = byAddress.get(address) ?? 0
      const ofOneMaxCount = isLoopback(address) ? handshakesOfThisHostMaxCount : handshakesOfOneMaxCount
      if (total >= handshakesMaxCount || count >= ofOneMaxCount) return undefined
      total += 1
      byAddress.set(address, count + 1)
      let isCounted = true
      return () => {
        if (!isCounted) return
        isCounted = false
        total -= 1
        const left = byAddress.get(address)! - 1
        if (left > 0) byAddress.set(address, left)
        else byAddress.delete(address)
      }
    },
    warn: Effect.fnUntraced(function* (line) {
      const nowNanos = yield* Clock.monotonicTimeNanos
      if (warnedNanos !== undefined && nowNanos - warnedNanos < warnIntervalNanos) return yield* Effect.logDebug(line)
      warnedNanos = nowNanos
      yield* Effect.logWarning(line)
    })
  }
}
