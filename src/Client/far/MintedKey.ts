/**
 * The idempotency key that this client makes for a change without one: a dated key (Machine/DatedKey.ts), for which a
 * cluster has no quota. For a node's own data it is opaque, since no answer tells the index of that node's own log.
 */
import { randomBytesUnsafe, uuidV4Unsafe } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import { beforeBody } from "../../Http/Fingerprint.ts"
import * as DatedKey from "../../Machine/DatedKey.ts"
import { type Asked, textOf } from "./Asked.ts"

/** 96 bits: nobody guesses the key of another client. */
const uniqueBytesCount = 12

/** Makes a key for a change, after an index that an answer of the cluster has told; 0 if none has. */
export const mint = (asked: Asked, afterIndex: number): Effect.Effect<string> =>
  Effect.suspend(() => {
    const subtle = globalThis.crypto?.subtle
    // A page that came without TLS from another host has no digests.
    if (asked.isOfOneNode === true || subtle === undefined) return Effect.succeed(uuidV4Unsafe())
    const { headers = {}, method, path } = asked
    const text = beforeBody({ method, url: path, headers }) + (textOf(asked) ?? "")
    return Effect.map(
      Effect.promise(() => subtle.digest("SHA-256", new TextEncoder().encode(text))),
      (digest) =>
        DatedKey.make({
          afterIndex,
          unique: Hex.encode(randomBytesUnsafe(uniqueBytesCount)),
          fingerprint: Base64Url.encode(new Uint8Array(digest))
        })
    )
  })
