/** The headers of every answer of the API: the node, the leader, and the index that the answer reflects. */
import { Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { indexHeader } from "./IndexHeader.ts"
import { Count } from "./Patterns.ts"

/** The position of the answering node. `index` is the index of the replicated log that the answer reflects. */
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

/** Makes the headers of a position. Omits `Lithair-Leader` while the node knows no leader. */
export const positionHeaders = (position: Position): Readonly<Record<string, string>> => ({
  "lithair-node": position.nodeId,
  ...(position.leaderId === undefined ? {} : { "lithair-leader": position.leaderId }),
  "lithair-term": String(position.term),
  [indexHeader]: String(position.index)
})

/** Adds the headers of a position to an answer, also to a problem. */
export const withPosition = (
  response: HttpServerResponse.HttpServerResponse,
  position: Position
): HttpServerResponse.HttpServerResponse => HttpServerResponse.setHeaders(response, positionHeaders(position))
