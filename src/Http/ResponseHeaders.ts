/** The headers of every answer of the API: the node, the leader, and the index that the answer reflects. */
import { Schema } from "effect"
import { indexHeader } from "./IndexHeader.ts"
import { Count } from "./Patterns.ts"

/** The position of the answering node. `index` is the index of the replicated log that its tables reflect. */
export interface Position {
  readonly nodeId: string
  readonly leaderId: string | undefined
  readonly term: number
  readonly index: number
}

/** Schemas of these headers, for the document. */
export const positionHeaderSchemas = {
  "lithair-node": Schema.String,
  "lithair-leader": Schema.optionalKey(Schema.String),
  "lithair-term": Count,
  [indexHeader]: Count
}

/**
 * Adds the headers of a position to those of one answer, which may name the index itself. Omits `Lithair-Leader` while
 * the node knows no leader.
 */
export const addPosition = (
  headers: Record<string, string>,
  { index, leaderId, nodeId, term }: Position
): Readonly<Record<string, string>> => {
  headers["lithair-node"] = nodeId
  if (leaderId !== undefined) headers["lithair-leader"] = leaderId
  headers["lithair-term"] = String(term)
  headers[indexHeader] ??= String(index)
  return headers
}
