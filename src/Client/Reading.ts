/** How new the answer of a read must be, as a request says it. docs/http.md, "Reads". Pure. */
import type { Asked } from "./Asked.ts"

/**
 * `linearizable`, unless said: as new as anything that any node has answered. `session`: at least as new as all that this
 * client has been answered; it needs no quorum. `local`: as the node that is asked has it.
 */
export interface ReadOptions {
  readonly consistency?: "linearizable" | "session" | "local"
  /** Of a local read: not older than this. */
  readonly staleMaxMs?: number
}

/** What the request of a read says of it, for a client that has seen this index. */
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
