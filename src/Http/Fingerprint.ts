/**
 * What the fingerprint of a request is made of: it is equal for equal requests. Pure, and loads in a browser. A node
 * (IdempotencyKey.ts) and the client's library (Client/far/MintedKey.ts) make SHA-256 of it, in base64url.
 */
import type { RequestHead } from "./Head.ts"

/**
 * The text before the body, byte for byte: method, target and conditional headers. JSON marks where each part ends, so that
 * no part can be taken for another.
 */
export const beforeBody = ({ headers, method, url }: RequestHead): string =>
  JSON.stringify([method, url, headers["if-match"] ?? null, headers["if-none-match"] ?? null])
