/** Why a query ends, or is refused. Pure data. LiveFailure.ts has it as clients see it. */
import type { UnreadableRow } from "../Machine/ListedRows.ts"
import { memoryMaxBytes } from "./Bounds.ts"

/** Why a query cannot go on. */
export type LiveEnd =
  | { readonly _tag: "Unreadable"; readonly model: string; readonly row: UnreadableRow }
  | { readonly _tag: "PageTooLarge" }
  | { readonly _tag: "Overloaded"; readonly message: string }

/** A bound of the node is reached. */
export const overloaded = (message: string): LiveEnd => ({ _tag: "Overloaded", message })

const memory = `${memoryMaxBytes / 2 ** 20} MiB`

/** There is no room for one more reader. */
export const full = overloaded(`The live queries of this node take ${memory} already: try again later`)

/** The windows have grown over the bound. */
export const outgrown = overloaded(`The live queries of this node have grown over ${memory}: try again later`)
