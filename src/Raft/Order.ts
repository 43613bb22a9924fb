/** What is asked of the leader, wherever it is, and what it says: JSON data, since a follower forwards it. Pure. */
import type { Command } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { Keyed } from "../Machine/Sessions.ts"
import type { Standing } from "../Machine/Standing.ts"
import type { ChangeRefusal, MembershipChange } from "./MembershipChange.ts"
import type { NodeId } from "./Message.ts"
import type { TransferResult } from "./Output.ts"

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

/** `Inquire`: what became of a key, linearizably. */
export type Order =
  | { readonly _tag: "Decide"; readonly command: Command }
  | { readonly _tag: "Inquire"; readonly keyed: Keyed }
  | Administration

/** `index` is that of the log which the result reflects. */
export type OrderAnswer =
  | { readonly _tag: "Decided"; readonly index: number; readonly answer: CommandResult }
  | { readonly _tag: "Inquired"; readonly index: number; readonly standing: Standing }
  | { readonly _tag: "Administered"; readonly administered: Administered }
