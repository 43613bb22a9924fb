/** The headers of every answer of the API: the node, the leader, and the index that the answer reflects. */
import { Schema } from "effect"
import { indexHeader } from "./IndexHeader.ts"
import { Count } from "./Patterns.ts"

/** The position of the answering node. `index` is the index of the replicated log that the answer reflects. */
export interface Position {
  readonly nodeId: string
  readonly leaderId: string | undefined
  readonly term: number
  readonly index: string
}

/** Schemas of these headers, for the document. */
export const positionHeaderSchemas = {
  "lithair-node": Schema.String,
  "lithair-leader": Schema.optionalKey(Schema.String),
  "lithair-term": Count,
  [indexHeader]: Count
}

/** Makes the headers of a position. Omits `Lithair-Leader` while the node knows no leader. */
export const positionHeaders = ({ index, leaderId, nodeId, term }: Position): Readonly<Record<string, string>> =>
  leaderId === undefined
    ? { "lithair-node": nodeId, "lithair-term": String(term), [indexHeader]: index }
    : { "lithair-node": nodeId, "lithair-leader": leaderId, "lithair-term": String(term), [indexHeader]: index }
