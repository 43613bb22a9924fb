/**
 * The client's idempotency key, and what tells a copy of its request from another request. Remembering a key is
 * Machine's (Sessions.ts). docs/http.md, "Problems"; draft-ietf-httpapi-idempotency-key-header.
 */
import { createHash } from "node:crypto"
import { Result } from "effect"
import type { HttpServerRequest } from "effect/http"
import * as AssignedKey from "../Machine/AssignedKey.ts"
import type { Origin } from "../Machine/Command.ts"
import { isKey, keyLengthMax } from "../Machine/RequestKey.ts"
import { invalidRequest, keyReused, type Problem } from "../Problem.ts"

/** The key of a request, undefined if it has none. Two headers arrive joined by a comma and a space, and are no key. */
export const parseKey = (header: string | undefined): Result.Result<string | undefined, Problem> => {
  if (header === undefined) return Result.succeed(undefined)
  return isKey(header)
    ? Result.succeed(header)
    : Result.fail(
        invalidRequest(`An Idempotency-Key is 1 to ${keyLengthMax} visible ASCII characters`, [
          { path: "Idempotency-Key", message: "Expected one key" }
        ])
      )
}

/** A request as far as it is compared; its headers are read once, since each reading copies them. */
export type Head = Pick<HttpServerRequest.HttpServerRequest, "method" | "url" | "headers">

/**
 * Where a write comes from. Without a key it has a fingerprint still, which becomes part of the key that is assigned to
 * it; so a client that was told such a key and sends it is known to send the same request, or another one.
 */
export const originOf = (head: Head, body: Uint8Array): Result.Result<Origin, Problem> =>
  Result.flatMap(parseKey(head.headers["idempotency-key"]), (key) => {
    const fingerprint = fingerprintOf(head, body)
    if (key === undefined) return Result.succeed({ fingerprint })
    const assigned = AssignedKey.parse(key)
    return assigned === undefined || AssignedKey.isOf(assigned, fingerprint)
      ? Result.succeed({ key, fingerprint })
      : Result.fail(keyReused(key))
  })

/** What makes two requests the same: method, target, conditional headers and body, byte for byte. */
export const fingerprintOf = ({ headers, method, url }: Head, body: Uint8Array): string => {
  const conditions = [headers["if-match"] ?? null, headers["if-none-match"] ?? null]
  // The JSON text ends where it ends, so that no part of a request can be taken for another.
  return createHash("sha256")
    .update(JSON.stringify([method, url, ...conditions]))
    .update(body)
    .digest("base64url")
}
