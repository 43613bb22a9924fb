/** Writes into a request how new the answer must be. docs/http.md, "Reads". Pure. */
import type { Asked } from "./Asked.ts"

/**
 * How new the answer of a read must be; `linearizable` by default. `linearizable`: it reflects every write that any node
 * has answered. `session`: it is at least as new as all answers that this client got, and needs no quorum. `local`: it is
 * what the node has.
 */
export interface ReadOptions {
  readonly consistency?: "linearizable" | "session" | "local"
  /** The greatest age of a local read, in ms. */
  readonly staleMaxMs?: number
}

/** The query and headers of a read by a client that has seen this index. */
export const reading = (
  { consistency, staleMaxMs }: ReadOptions,
  seenIndex: number
): Required<Pick<Asked, "query" | "headers">> => ({
  query: [
    ...(consistency === undefined ? [] : [["consistency", consistency] as const]),
    ...(staleMaxMs === undefined ? [] : [["max-stale", String(staleMaxMs)] as const])
  ],
  headers: consistency === "session" ? { "lithair-min-index": String(seenIndex) } : {}
})
