/** Changes of the cluster itself, asked for and answered: JSON data, since a follower forwards it. Pure. §6, diss. 3.10. */
import type { ChangeRefusal, MembershipChange } from "../core/MembershipChange.ts"
import type { NodeId } from "../core/Message.ts"
import type { TransferResult } from "../core/Output.ts"

/**
 * By what somebody was admitted to change the cluster, on the node that was asked: as a program of its host, or by the
 * cluster's secret, shown or proven. A leader takes no change that does not say so.
 */
export type Admitted = "this-host" | "secret" | "proof"

/**
 * Changes the cluster itself: its members (§6), or who leads it (diss. 3.10). `force` lets the voters become fewer than
 * three.
 */
export type Administration =
  | {
      readonly _tag: "ChangeMembers"
      readonly admitted: Admitted
      readonly change: MembershipChange
      readonly force?: true
    }
  | { readonly _tag: "TransferLeadership"; readonly admitted: Admitted; readonly to?: NodeId }

/** What became of it. A refusal changed nothing. */
export type Administered =
  | { readonly _tag: "Done" }
  | {
      readonly _tag: "Refused"
      readonly reason: ChangeRefusal | "belowThreeVoters" | Extract<TransferResult, { _tag: "Refused" }>["reason"]
    }
