/** What the declarations of a node's own endpoints share. */

import type { Schema } from "effect"
import { HttpApiSchema, OpenApi } from "effect/http-api"
import { bodyProblems, problems } from "./ModelEndpoints.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

/** A body, with the headers that say who answered and as of which entry. */
export const positioned = <S extends Schema.Top>(body: S) => HttpApiSchema.WithHeaders(body, positionHeaderSchemas)
/** What the document says of an endpoint. */
export const said = (summary: string, description?: string) =>
  OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) })

/** The problems of any change of the cluster. */
export const changeProblems = problems([
  "invalid-request",
  "not-found",
  "membership-refused",
  "no-quorum",
  "overloaded",
  "draining",
  "removed",
  "upgrade-required",
  "unknown-outcome",
  ...bodyProblems
])
