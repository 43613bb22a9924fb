/** What is known of an idempotency key when somebody asks: pure JSON data, since a peer carries it. docs/http.md. */
import type { KeptOutcome } from "./Sessions.ts"

/** The name of a command in its entry, and what it came to. */
export interface Recalled {
  readonly command: string
  readonly outcome: KeptOutcome
}

/**
 * `Known`: this became of it, by the entry at `index`, for good. `Pending`: it is under way. `Absent`: nothing became of it when this was asked,
 * and a copy that is delayed may still arrive. `Closed`: nothing became of it, and nothing will. `Expired`: something may
 * have become of it, and can no longer be told.
 */
export type Standing =
  | ({ readonly _tag: "Known"; readonly index: number } & Recalled)
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Expired" }
