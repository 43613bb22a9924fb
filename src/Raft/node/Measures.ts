/**
 * What a node measures of its own work, for its operators: how long syncs, commits, applying and peers take, how late its
 * loop is, and how often leadership changed. A sync that takes long is a line in the log, too.
 */
import { Effect } from "effect"
import type { Message, NodeId } from "../core/Message.ts"
import type { Output } from "../core/Output.ts"
import type { State } from "../core/State.ts"
import type { EntryTraces } from "./EntryTraces.ts"
import * as Histogram from "./Histogram.ts"
import * as RoundTrips from "./RoundTrips.ts"

/** Measured since the node started. */
export interface Measures {
  /** From the write of a batch of the log until it is durable here. */
  readonly sync: Histogram.Histogram
  /** On the leader: from a proposal until a quorum holds it. */
  readonly commit: Histogram.Histogram
  /** How long a turn applied committed entries and answered their clients. */
  readonly apply: Histogram.Histogram
  /** How late the node's ticks came, which other work on the thread had held up. */
  readonly loopDelay: Histogram.Histogram
  /** How often another node, or another term of the same one, began to lead. */
  leaderChangesCount: number
  /** On the leader: how long messages take to each peer and back. */
  readonly roundTrips: Pick<RoundTrips.RoundTrips, "secondsOf">
}

/** Takes what the shell of a node meets. */
export interface Measuring {
  readonly measures: Measures
  /** A write of the log begins. Call what this returns once it is durable. */
  readonly syncing: () => () => void
  /** A message leaves for a peer, or has come from one. */
  readonly sent: (peer: NodeId, message: Message) => void
  readonly received: (peer: NodeId, message: Message) => void
  /** The core has taken a step. */
  readonly stepped: (core: State, output: Output) => void
  /** Does work that may apply entries. */
  readonly applying: (appliedIndex: () => number, work: () => void) => void
  readonly leaderChanged: () => void
  /** A tick came, which is due `intervalMs` after the one before it. */
  readonly ticked: (nowNanos: bigint, intervalMs: number) => void
}

/** A longer sync is a line in the log. */
const slowSyncSeconds = 0.1
/** Between two such lines. */
const saysAgainSeconds = 10

export const make = (options: {
  readonly nowNanos: () => bigint
  /** Follows traced commands, if spans are recorded. */
  readonly traces?: EntryTraces | undefined
  readonly fork: (effect: Effect.Effect<void>) => void
}): Measuring => {
  const { traces } = options
  const roundTrips = RoundTrips.make(options.nowNanos)
  const measures: Measures = {
    sync: Histogram.make(),
    commit: Histogram.make(),
    apply: Histogram.make(),
    loopDelay: Histogram.make(),
    leaderChangesCount: 0,
    roundTrips
  }
  /** Proposals that are not committed yet, the oldest first; the core bounds them. */
  const open: Array<{ readonly throughIndex: number; readonly atNanos: bigint }> = []
  let saidNanos: bigint | undefined
  let unsaidCount = 0
  let tickedNanos: bigint | undefined

  const saySlow = (seconds: number): void => {
    const nowNanos = options.nowNanos()
    if (saidNanos !== undefined && Histogram.secondsBetween(saidNanos, nowNanos) < saysAgainSeconds) {
      unsaidCount += 1
      return
    }
    const others = unsaidCount === 0 ? "" : `, and ${unsaidCount} others since the last such line`
    saidNanos = nowNanos
    unsaidCount = 0
    options.fork(Effect.logWarning(`A sync of the log took ${Math.round(seconds * 1000)} ms${others}`))
  }

  return {
    measures,
    syncing: () => {
      const beganNanos = options.nowNanos()
      const traced = traces?.syncing()
      return () => {
        const seconds = Histogram.secondsBetween(beganNanos, options.nowNanos())
        Histogram.record(measures.sync, seconds)
        traced?.()
        if (seconds > slowSyncSeconds) saySlow(seconds)
      }
    },
    sent: roundTrips.sent,
    received: roundTrips.received,
    stepped: (core, { proposal }) => {
      const { commitIndex, role } = core
      traces?.stepped(core)
      if (proposal?._tag === "Accepted") open.push({ throughIndex: proposal.lastIndex, atNanos: options.nowNanos() })
      // Others commit what a former leader has proposed, or not.
      if (role._tag !== "Leader") {
        open.length = 0
        roundTrips.forget()
      }
      while (open[0] !== undefined && open[0].throughIndex <= commitIndex) {
        Histogram.record(measures.commit, Histogram.secondsBetween(open[0].atNanos, options.nowNanos()))
        open.shift()
      }
    },
    applying: (appliedIndex, work) => {
      const [beforeIndex, beganNanos] = [appliedIndex(), options.nowNanos()]
      work()
      if (appliedIndex() === beforeIndex) return
      Histogram.record(measures.apply, Histogram.secondsBetween(beganNanos, options.nowNanos()))
    },
    leaderChanged: () => {
      measures.leaderChangesCount += 1
    },
    ticked: (nowNanos, intervalMs) => {
      if (tickedNanos !== undefined) {
        Histogram.record(measures.loopDelay, Histogram.secondsBetween(tickedNanos, nowNanos) - intervalMs / 1000)
      }
      tickedNanos = nowNanos
    }
  }
}
