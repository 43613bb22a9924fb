/** The status of an idempotency key at the time of asking. Pure, and JSON data, since a peer carries it. docs/http.md. */
import type { Keyed } from "./Command.ts"
import type { KeptOutcome } from "./Session.ts"
import { isKeyClosed } from "./Session.ts"
import { find } from "./Sessions.ts"
import type { Tables } from "./Tables.ts"

/** The name of a command in its entry, and its outcome. */
export interface Recalled {
  readonly command: string
  readonly outcome: KeptOutcome
}

/**
 * `Known`: the command has this outcome for good, from the entry at `index`. `Pending`: it is under way. `Absent`: nothing
 * was done up to now, and a delayed copy may still arrive. `Closed`: nothing was done, and nothing will be. `Expired`:
 * the outcome is forgotten, so the command may have been done or not.
 */
export type KeyStatus =
  | ({ readonly _tag: "Known"; readonly index: number } & Recalled)
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Expired" }

/** The status of a key in these tables. `Logged`: only the entry at `index` has the outcome. */
export const statusIn = (
  tables: Tables,
  keyed: Keyed
): Exclude<KeyStatus, { readonly _tag: "Pending" }> | { readonly _tag: "Logged"; readonly index: number } => {
  const known = find(tables, keyed, tables.logAgeMs)
  if (known === undefined) return { _tag: "Absent" }
  return known._tag === "Kept" ? statusOf(known.index, known) : known
}

/** The status of a key whose entry at `index` has this outcome; undefined if the entry is compacted away. */
export const statusOf = (
  index: number,
  recalled: Recalled | undefined
): Extract<KeyStatus, { readonly _tag: "Known" | "Closed" | "Expired" }> => {
  if (recalled === undefined) return { _tag: "Expired" }
  const { command, outcome } = recalled
  return isKeyClosed(outcome) ? { _tag: "Closed" } : { _tag: "Known", index, command, outcome }
}
