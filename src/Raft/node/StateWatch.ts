/**
 * The shell of StateComparison.ts. It sends this node's hashes, logs differences between members, and rebuilds this
 * node's state if it differs from a majority. It also checks, a little at a time, whether the state has its hash, so
 * that the other members notice a change that no entry made.
 */
import { type Cause, Clock, Effect, Queue } from "effect"
import { membersOf } from "../core/Configuration.ts"
import type { Input } from "../core/Input.ts"
import type { NodeId } from "../core/Message.ts"
import * as StateComparison from "../core/StateComparison.ts"
import type { SnapshotWanted } from "../peers/PeerMessage.ts"
import type { Transport } from "../peers/Transport.ts"
import { NotDone } from "./Outcome.ts"
import { type RebuildingOptions, rebuildFrom } from "./rebuildState.ts"
import type { StateMachine } from "./StateMachine.ts"

/** The pause between two checks of the whole state, and a bound on their share of the time: a fiftieth at most. */
const auditEveryMs = 10_000
const auditPauseMs = 50
const auditMaxNanos = 1_000_000n
/** After a rebuild, the others compare the new state for this long. */
const rebuiltJudgedMs = 4 * StateComparison.compareEveryMs
/** How often a leader is asked for its snapshot until it comes. */
const wantedEveryMs = 5_000
/** The first pause before another rebuild, if the state is still wrong. It grows. */
const rebuildPauseMs = 10_000
const rebuildPauseMaxMs = 600_000

/** The answer to reads on a node whose state is not trusted. */
export const suspect = new NotDone({
  reason: "no-quorum",
  message: "Cannot read: the state of this node differs from that of a majority, and is made anew. Ask another node."
})

export interface StateWatchOptions extends RebuildingOptions {
  readonly nodeId: NodeId
  readonly machine: Pick<StateMachine<never, unknown>, "rebuilding" | "hash" | "hashDefinition" | "auditing">
  readonly transport: Transport["Service"]
  readonly run: (input: Input) => void
  /** This node serves no more reads. Waiting reads are refused. */
  readonly refuseReads: () => void
  /** The state is trusted again. A snapshot of it replaces older ones, which may be wrong. */
  readonly takeSnapshot: () => void
  readonly sendSnapshot: (to: NodeId, atLeastIndex: number) => void
  readonly onFailure: (cause: Cause.Cause<never>) => Effect.Effect<unknown>
  readonly fork: (effect: Effect.Effect<void>) => void
}

export interface StateWatch {
  /** The entry at this index is applied. */
  readonly applied: (index: number) => void
  /** Applying has paused. */
  readonly paused: () => void
  /** The state is about to be replaced, by a restore or a rebuild. Until then the node reports no hash. */
  readonly replacing: () => void
  readonly replaced: () => void
  /** A member reports its state, or asks for this leader's snapshot. */
  readonly received: (from: NodeId, message: StateComparison.StateReport | SnapshotWanted) => void
  /** A snapshot of the leader is kept here. */
  readonly snapshotReceived: (index: number) => void
  readonly ticked: () => void
  /**
   * Whether this node's state differs from a majority's. Until it is rebuilt, the node serves no reads and does not
   * lead.
   */
  readonly isSuspect: () => boolean
  /** The last difference between members, until they agree again. */
  readonly difference: () => StateComparison.Difference | undefined
  /** Loops that run until they are interrupted. */
  readonly loops: ReadonlyArray<Effect.Effect<never>>
}

export const make = Effect.fnUntraced(function* (options: StateWatchOptions) {
  const { appliedIndex, core, fork, machine, nodeId, transport } = options
  const comparing = StateComparison.make(nodeId)
  const suspected = yield* Queue.sliding<void>(1)
  const fromLeader = yield* Queue.sliding<number>(1)

  let isReplacing = false

  const now = (): StateComparison.Now => ({
    appliedIndex: isReplacing ? 0 : appliedIndex(),
    hash: machine.hash(),
    definition: machine.hashDefinition
  })

  const say = (report: StateComparison.StateReport): void => {
    for (const { id } of membersOf(core.configuration)) {
      if (id !== nodeId) transport.send(id, "control", report)
    }
    consider()
  }

  const consider = (): void => {
    const verdict = StateComparison.judge(comparing, core.configuration)
    if (verdict?._tag === "Differs") fork(Effect.logError(describe(verdict.difference)))
    if (verdict?._tag === "Agrees")
      fork(Effect.logInfo(`The states of the members agree again at entry ${verdict.index}`))
    if (comparing.isSuspect === core.isSuspect) return
    options.run({ _tag: "StateSuspected", isSuspect: comparing.isSuspect })
    if (!comparing.isSuspect) {
      fork(Effect.logInfo("The state of this node is believed again: it reads and may lead"))
      options.takeSnapshot()
      return
    }
    options.refuseReads()
    Queue.offerUnsafe(suspected, undefined)
  }

  /** The index of a snapshot from the leader. It keeps asking, since another node may lead by now. */
  const fetched = Effect.gen(function* () {
    yield* Queue.clear(fromLeader)
    while (true) {
      const leader = core.role._tag === "Follower" ? core.role.leader : undefined
      const atLeastIndex = core.log.firstIndex - 1
      if (leader !== undefined) transport.send(leader, "control", { _tag: "SnapshotWanted", atLeastIndex })
      const index = yield* Effect.timeoutOrElse(Queue.take(fromLeader), {
        duration: wantedEveryMs,
        orElse: () => Effect.succeed(0)
      })
      if (index >= atLeastIndex && index > 0) return index
    }
  })

  const rebuildOnce = Effect.gen(function* () {
    const reachesBack = core.log.firstIndex === 1
    const from = reachesBack ? "from the beginning of its log" : "from a snapshot of its leader"
    yield* Effect.logWarning(`This node makes its state anew ${from}: until then it neither reads nor leads`)
    yield* rebuildFrom(options, reachesBack ? 0 : yield* fetched)
    yield* Effect.sleep(rebuiltJudgedMs)
    // What nobody has judged may be right.
    if (!comparing.isSuspect || comparing.isAnew) return
    const advice =
      "run the release of the others here, or remove this member and add it anew with an empty data directory"
    yield* Effect.logError(`The state of this node is still not that of a majority: ${advice}`)
  }).pipe(Effect.catch((error) => Effect.logError("The state of this node cannot be made anew", error)))

  const rebuild = Effect.gen(function* () {
    yield* Queue.take(suspected)
    for (let pauseMs = rebuildPauseMs; comparing.isSuspect; pauseMs = Math.min(2 * pauseMs, rebuildPauseMaxMs)) {
      yield* rebuildOnce
      if (comparing.isSuspect) yield* Effect.sleep(pauseMs)
    }
  })

  const audit = Effect.gen(function* () {
    yield* Effect.sleep(auditEveryMs)
    const clock = yield* Clock.Clock
    const steps = machine.auditing()
    let step = steps.next()
    while (step.done !== true) {
      const endNanos = clock.monotonicTimeNanosUnsafe() + auditMaxNanos
      while (step.done !== true && clock.monotonicTimeNanosUnsafe() < endNanos) step = steps.next()
      if (step.done !== true) yield* Effect.sleep(auditPauseMs)
    }
    if (step.value) return
    yield* Effect.logError(`The state of this node changed without an entry: its hash is corrected`)
  })

  const watched = (loop: Effect.Effect<void>): Effect.Effect<never> =>
    Effect.forever(Effect.catchCause(loop, (cause) => options.onFailure(cause)))

  const watch: StateWatch = {
    applied: (index) => StateComparison.applied(comparing, index, machine.hash()),
    paused: () => {
      for (const report of StateComparison.due(comparing, now())) say(report)
    },
    replacing: () => {
      isReplacing = true
    },
    replaced: () => {
      isReplacing = false
      StateComparison.replaced(comparing)
    },
    received: (from, message) => {
      if (message._tag === "SnapshotWanted") {
        if (core.role._tag === "Leader") options.sendSnapshot(from, message.atLeastIndex)
        return
      }
      StateComparison.received(comparing, from, message)
      consider()
      for (const own of StateComparison.due(comparing, now())) say(own)
    },
    snapshotReceived: (index) => void Queue.offerUnsafe(fromLeader, index),
    ticked: () => {
      if (comparing.isSuspect) {
        StateComparison.passed(comparing, core)
        consider()
      }
      if (core.role._tag !== "Leader") return
      const report = StateComparison.tick(comparing, { nowMs: core.nowMs, term: core.currentTerm }, now())
      if (report !== undefined) say(report)
    },
    isSuspect: () => comparing.isSuspect,
    difference: () => comparing.difference,
    loops: [watched(rebuild), watched(audit)]
  }
  return watch
})

const describe = ({ index, members, outliers }: StateComparison.Difference): string => {
  const hashes = members.map(({ definition, hash, id }) => `${id} has ${hash} (definition ${definition})`).join(", ")
  const who =
    outliers.length === 0
      ? "no majority agrees, so that nobody can tell who is wrong"
      : `${outliers.join(" and ")} differ${outliers.length === 1 ? "s" : ""} from the majority`
  return `The states of the members differ at entry ${index}: ${who}. ${hashes}`
}
