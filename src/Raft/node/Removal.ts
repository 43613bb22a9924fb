/**
 * Watches whether this node is still a member. A removed node says so in its log, serves nothing, and ends after a
 * while, unless it is added again meanwhile. Membership.ts decides which configurations remove it. §6.
 */
import { Effect, Runtime, Schema } from "effect"
import type { Start } from "../../EventStore/Start.ts"
import * as Membership from "../core/Membership.ts"
import type { NodeId } from "../core/Message.ts"
import type { State } from "../core/State.ts"
import { NotDone } from "./Outcome.ts"

/** How long a removed member stays before it ends. */
export const removedEndMs = 10_000

/** `EX_CONFIG` of sysexits.h: starting the node again changes nothing. */
export const removedExitCode = 78

/** This node was removed from its cluster. Its process ends with exit code 78. */
export class MemberRemoved extends Schema.TaggedError<MemberRemoved>()("MemberRemoved", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = removedExitCode
}

/** Another cluster took the place of this node's, from an archive or one of its directories. Its process ends with exit code 78. */
export class ClusterSuperseded extends Schema.TaggedError<ClusterSuperseded>()("ClusterSuperseded", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = removedExitCode
}

/** The data directory is a copy, or an older state, of one that was started since. The process ends with exit code 78. */
export class DirectoryCopied extends Schema.TaggedError<DirectoryCopied>()("DirectoryCopied", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = removedExitCode
}

/** The end of a node whose cluster knows a later start of its data directory. */
export const copied = (options: { readonly nodeId: NodeId; readonly later: Start }): DirectoryCopied =>
  new DirectoryCopied({
    message: `${options.nodeId} stops: its cluster knows start ${options.later.life} (${options.later.nonce}) of its data directory, which this directory does not have. It is a copy, or an older state of the disk, and lacks what its node has promised since. If the other one is still there, start that. If not, remove the member ${options.nodeId}, and add it again with an empty directory and --join`
  })

/** The end of a node whose cluster was superseded. */
export const superseded = (options: {
  readonly nodeId: NodeId
  readonly clusterId: string
  readonly by: string
}): ClusterSuperseded =>
  new ClusterSuperseded({
    message: `${options.nodeId} stops: cluster ${options.by} took the place of its cluster ${options.clusterId}. What this node holds and the new cluster lacks is in its directory alone. To add it to the new cluster, start it with an empty directory and --join`
  })

/** The answer of a removed node to every request. */
export const removed = new NotDone({
  reason: "removed",
  message: "This node was removed from its cluster: ask another one"
})

export interface Removal {
  readonly isRemoved: () => boolean
  /** Call when more is committed here. */
  readonly consider: () => void
  /** Call when a peer reports a committed configuration that does not name this node. */
  readonly told: (from: NodeId, configurationIndex: number) => void
}

export const make = (options: {
  readonly core: Readonly<State>
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly end: (error: MemberRemoved) => Effect.Effect<unknown>
  /** Called when this node is no longer a member. */
  readonly onRemoved?: () => void
}): Removal => {
  const { core, fork } = options
  let toldIndex = 0
  /** The number of the known removal. It changes once a removal is undone. */
  let removalsCount = 0
  let wasRemoved = false
  const isRemoved = () => Membership.isRemoved(core, toldIndex)

  const consider = (): void => {
    if (isRemoved() === wasRemoved) return
    wasRemoved = !wasRemoved
    if (!wasRemoved) {
      fork(Effect.logInfo(`${core.nodeId} is a member again`))
      return
    }
    options.onRemoved?.()
    removalsCount += 1
    const own = removalsCount
    const message = `${core.nodeId} was removed from its cluster. To add it again, start it with an empty directory and --join`
    const end = Effect.suspend(() =>
      isRemoved() && own === removalsCount ? options.end(new MemberRemoved({ message })) : Effect.void
    )
    fork(Effect.logWarning(`${message}. It serves nothing, and ends in ${removedEndMs / 1000} s`))
    fork(Effect.asVoid(Effect.delay(end, removedEndMs)))
  }

  return {
    isRemoved,
    consider,
    told: (from, configurationIndex) => {
      const isNews = configurationIndex > toldIndex
      toldIndex = Math.max(toldIndex, configurationIndex)
      consider()
      // A node that no configuration of its log names may still have to catch up with the one that does.
      if (isNews && !wasRemoved) {
        fork(Effect.logWarning(`${from} knows no member ${core.nodeId} with this data directory: its log may lag`))
      }
    }
  }
}
