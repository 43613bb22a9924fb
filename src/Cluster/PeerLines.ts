/** The lines of a node's log about the peers of its cluster: to which it is connected, and who the members are. */
import { Effect } from "effect"
import { type Configuration, votersOf } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import * as StateLines from "../Raft/node/StateLines.ts"

/** Hears of the links to peers. */
export interface PeerLines {
  readonly up: (peer: NodeId, address: string) => void
  /** `why` is what ended the link, if that is known. */
  readonly down: (peer: NodeId, why: string | undefined) => void
}

export const make = (options: {
  readonly nowNanos: () => bigint
  readonly fork: (effect: Effect.Effect<void>) => void
}): PeerLines => {
  const lines = StateLines.make<"up" | "down">({ ...options, initial: "down" })
  return {
    up: (peer, address) =>
      lines.changed(peer, "up", (meanwhile) =>
        Effect.logInfo(`Connected to ${peer}${address === peer ? "" : ` at ${address}`}${meanwhile}`)
      ),
    down: (peer, why) =>
      lines.changed(peer, "down", (meanwhile) =>
        Effect.logWarning(`Lost the connection to ${peer}${why === undefined ? "" : `: ${why}`}${meanwhile}`)
      )
  }
}

const namesOf = (members: ReadonlyArray<{ readonly id: NodeId }>): string => members.map(({ id }) => id).join(", ")

/** The line about members that are in force from now on. Pure. */
export const membersLine = (configuration: Configuration): string => {
  const { learners, outgoing } = configuration
  const voters = `The voters are ${namesOf(outgoing === undefined ? configuration.voters : votersOf(configuration))}`
  const withLearners = learners.length === 0 ? voters : `${voters}; the learners are ${namesOf(learners)}`
  return outgoing === undefined ? withLearners : `${withLearners}; a change of them is under way`
}
