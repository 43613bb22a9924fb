/**
 * Reads the client's idempotency key, and tells a copy of its request from another request. Machine remembers keys
 * (Sessions.ts). docs/http.md, "Problems"; draft-ietf-httpapi-idempotency-key-header.
 */
import { hash } from "node:crypto"
import { Result } from "effect"
import type { Origin } from "../Machine/Command.ts"
import * as DatedKey from "../Machine/DatedKey.ts"
import { isKey, keyLengthMax } from "../Machine/RequestKey.ts"
import { invalidRequest, keyReused, type Problem } from "../Problem.ts"
import { beforeBody } from "./Fingerprint.ts"
import type { Head, RequestHead } from "./Head.ts"

/** Reads the key of a request; undefined if it has none. Two headers arrive joined by a comma and a space: that is not a key. */
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

type Traceable = RequestHead & Pick<Head, "trace">

/**
 * The key and fingerprint of a write, and its span. A write without a key has a fingerprint too, which becomes part of
 * the key that the node assigns. If the client later sends that key, the node can tell whether the request is the same.
 */
export const originOf = (head: Traceable, body: Uint8Array): Result.Result<Origin, Problem> =>
  Result.flatMap(parseKey(head.headers["idempotency-key"]), (key) => {
    const fingerprint = fingerprintOf(head, body)
    if (key === undefined) return Result.succeed(traced(head, { fingerprint }))
    const assigned = DatedKey.parse(key)
    return assigned === undefined || DatedKey.isOf(assigned, fingerprint)
      ? Result.succeed(traced(head, { key, fingerprint }))
      : Result.fail(keyReused(key))
  })

const traced = ({ trace }: Traceable, origin: Origin): Origin => (trace === undefined ? origin : { ...origin, trace })

/** Equal for equal requests: same method, target, conditional headers and body, byte for byte. */
export const fingerprintOf = (head: RequestHead, body: Uint8Array): string =>
  hash("sha256", Buffer.concat([Buffer.from(beforeBody(head)), body]), "base64url")
