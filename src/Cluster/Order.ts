/** What is asked of the leader, wherever it is, and what it says: JSON data, since a follower forwards it. Pure. */
import type { Command } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { Keyed } from "../Machine/Sessions.ts"
import type { Standing } from "../Machine/Standing.ts"
import type { Administered, Administration } from "../Raft/node/Administration.ts"

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
