/** Tells requests of a node's own code with the same key apart. Http/IdempotencyKey.ts does it for clients' requests. */
import { createHash } from "node:crypto"

/** Equal for equal texts of requests. */
export const fingerprintOf = (request: string): string => createHash("sha256").update(request).digest("base64url")
