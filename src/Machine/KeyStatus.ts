/** The status of an idempotency key at the time of asking. Pure JSON data, since a peer carries it. docs/http.md. */
import type { KeptOutcome } from "./Sessions.ts"

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
