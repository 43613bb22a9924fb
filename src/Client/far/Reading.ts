/** Writes into a request how new the answer must be. docs/http.md, "Reads". Pure. */
import type { ReadOptions } from "../ReadOptions.ts"
import type { Asked } from "./Asked.ts"

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
