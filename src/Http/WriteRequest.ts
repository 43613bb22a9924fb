/** What every write reads from its request: its conditions, its body, and its key and fingerprint. docs/http.md, "Endpoints". */
import { Result } from "effect"
import type { Origin } from "../Machine/Command.ts"
import type { Problem } from "../Problem.ts"
import { type WriteConditions, writeConditions } from "./Conditions.ts"
import { readBody, type Step, withValue } from "./Handler.ts"
import type { Head } from "./Head.ts"
import { originOf } from "./IdempotencyKey.ts"
import { parseParams, refuseOthers } from "./Params.ts"

/** Checks the head of a write, and reads its conditions. A write's query must be empty. */
export const checkHead = (
  head: Head,
  method: "POST" | "PUT" | "PATCH" | "DELETE"
): Result.Result<WriteConditions, Problem> =>
  Result.flatMap(
    Result.flatMap(parseParams(head.url), (params) => refuseOthers(params, [])),
    () => writeConditions(method, head.headers)
  )

/** Reads the body of a write, and the write's key and fingerprint. */
export const readWrite = (
  head: Head,
  mediaTypes: ReadonlyArray<string>,
  next: (data: unknown, origin: Origin) => Step
): Step => readBody(mediaTypes, ({ bytes, data }) => withValue(originOf(head, bytes), (origin) => next(data, origin)))
