/**
 * A leader whose code is too old for a request says so, and hands leadership on, from member to member, until one leads
 * with newer code. This serves rolling upgrades of models and commands (D2). The refusal itself does not wait.
 */
import { Effect } from "effect"
import type { CommandResult } from "../Machine/CommandResult.ts"
import * as Election from "../Raft/core/Election.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { RaftNode } from "../Raft/node/RaftNode.ts"

/** If every member's code is too old, leadership moves no faster than this. */
const handOnEveryMs = 2_000

type Running = Pick<RaftNode<never, never>, "core" | "transferLeadership">

/** Whether newer code would have decided otherwise. */
const isTooOld = (result: CommandResult): boolean =>
  result._tag === "Rejected" &&
  ((result.rejection._tag === "UpgradeRequired" && result.rejection.isAskersRelease !== true) ||
    result.rejection._tag === "UnknownCommand")

/** The next voter that answers, in the order of the ids, so that each has its turn. */
const nextVoter = ({ core }: Running): NodeId | undefined => {
  const { configuration, nodeId, role } = core
  if (role._tag !== "Leader") return undefined
  const ids = configuration.voters.map(({ id }) => id).toSorted()
  const others = [...ids.filter((id) => id > nodeId), ...ids.filter((id) => id < nodeId)]
  return others.find((id) => Election.isHeard(core, role, id))
}

/** Checks each answer of this leader, and hands on if its code was too old. */
export const make = ({ fork }: { readonly fork: (effect: Effect.Effect<void>) => void }) => {
  let handedOnMs = Number.NEGATIVE_INFINITY
  return (running: Running, result: CommandResult): void => {
    if (!isTooOld(result)) return
    const { nowMs } = running.core
    if (nowMs < handedOnMs + handOnEveryMs) return
    const to = nextVoter(running)
    if (to === undefined) return
    handedOnMs = nowMs
    const says = Effect.logInfo(`This node's code is too old for what it is asked: ${to} is to lead`)
    // A node that has given up refuses, and hands leadership over by itself.
    fork(Effect.ignore(Effect.andThen(says, running.transferLeadership(to))))
  }
}
