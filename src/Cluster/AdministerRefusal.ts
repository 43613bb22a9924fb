/** Says in one line why the leader refused a change of the cluster, to the operator or the node that asked. Pure. */
import type { AdministerResult } from "./Order.ts"

/** Why the leader refused a change. */
export type AdministerRefusal = Extract<AdministerResult, { readonly _tag: "Refused" }>["reason"]

/** The line for each reason. */
export const describeRefusal = (reason: AdministerRefusal): string => lines[reason]

const lines: Record<AdministerRefusal, string> = {
  notLeader: "The node is no longer the leader: try again",
  notReady: "The new leader is not ready yet: try again",
  changing: "Another change is under way: try again when it is done",
  transferring: "The leader is handing leadership over: try again",
  alreadyMember: "There is a member with this id already",
  unknownMember: "There is no such member",
  otherConfiguration: "The members have changed since: read them again",
  unchanged: "The cluster is in this state already",
  noVoters: "A cluster needs at least one voter",
  belowThreeVoters: "With fewer than three voters the cluster stops when it loses one: add ?force=true if you mean it",
  tooManyMembers: "The cluster is full: remove a member first",
  notCaughtUp: "The node has not caught up with the log: promote it once it has",
  unreachable: "The leader does not hear a quorum of the new voters: check that they run",
  notAnotherVoter: "The target must be another voter",
  nothingPending: "The leader's code has no newer version of a model, and knows no newer format, than is active",
  noTarget: "No other voter answers: check that they run"
}
