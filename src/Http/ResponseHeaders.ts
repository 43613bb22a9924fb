/** The headers that every answer of the API carries: who answered, who leads, and what the answer reflects. */
import { Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { indexHeader } from "./IndexHeader.ts"
import { Count } from "./Patterns.ts"

/** Where the answering node stood. `index` is always of the replicated log, and is the one that the answer reflects. */
export interface Position {
  readonly nodeId: string
  readonly leaderId: string | undefined
  readonly term: number
  readonly index: number
}

/** The same as schemas, for the document. */
export const positionHeaderSchemas = {
  "lithair-node": Schema.String,
  "lithair-leader": Schema.optionalKey(Schema.String),
  "lithair-term": Count,
  [indexHeader]: Count
}

/** The headers of a position; `Lithair-Leader` is left out while no leader is known. */
export const positionHeaders = (position: Position): Readonly<Record<string, string>> => ({
  "lithair-node": position.nodeId,
  ...(position.leaderId === undefined ? {} : { "lithair-leader": position.leaderId }),
  "lithair-term": String(position.term),
  [indexHeader]: String(position.index)
})

/** The answer with the headers of a position, a problem's answer included. */
export const withPosition = (
  response: HttpServerResponse.HttpServerResponse,
  position: Position
): HttpServerResponse.HttpServerResponse => HttpServerResponse.setHeaders(response, positionHeaders(position))
