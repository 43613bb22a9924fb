/**
 * Orders that change the cluster itself, and their answers. Pure JSON data, since a follower forwards it. §6, diss.
 * 3.10.
 */
import type { ChangeRefusal, MembershipChange } from "../core/MembershipChange.ts"
import type { NodeId } from "../core/Message.ts"
import type { TransferResult } from "../core/Output.ts"

/**
 * How the client was admitted by the node that it asked: as a program of the same host, by the cluster's secret, shown or
 * proved, by the node's admin token, or by the role of a principal. A leader refuses a change without this.
 */
export type Admitted = "this-host" | "secret" | "proof" | "token" | "role"

/** Changes the members (§6) or transfers leadership (diss. 3.10). `force` allows fewer than three voters. */
export type Administration =
  | {
      readonly _tag: "ChangeMembers"
      readonly admitted: Admitted
      readonly change: MembershipChange
      readonly force?: true
      /** The change is for the configuration of this entry alone (If-Match). */
      readonly ifIndex?: number
    }
  | { readonly _tag: "TransferLeadership"; readonly admitted: Admitted; readonly to?: NodeId }

/** The result. A refusal changed nothing. */
export type Administered =
  | { readonly _tag: "Done" }
  | {
      readonly _tag: "Refused"
      readonly reason:
        | ChangeRefusal
        | "belowThreeVoters"
        | "otherConfiguration"
        | Extract<TransferResult, { _tag: "Refused" }>["reason"]
    }
