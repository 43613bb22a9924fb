/**
 * Remembers the principals of tokens whose signatures were good, for a minute: to check a signature costs some 250 µs, to
 * find a digest 3 µs. A key that its issuer withdraws counts a minute longer by that. docs/access.md, "Tokens".
 */
import { createHash } from "node:crypto"
import type { Principal } from "../Access/Caller.ts"
import { Generations } from "./Generations.ts"

/** Who a token says that its holder is. */
export type Found = Omit<Principal, "_tag" | "apiKey"> & { readonly expiresMs: number }

/** A token is checked again after so long. */
export const rememberedMs = 60_000
/** At most two generations of so many tokens, in some 10 MB, or 40 MB if each has the most claims. */
const generationMaxCount = 4_096

/** The tokens of one issuer. `nowMs` is monotonic, `atMs` of the wall clock. */
export interface CheckedTokens {
  /** The principal of a token that was good within the minute, and has not expired. */
  readonly find: (token: string, nowMs: number, atMs: number) => Found | undefined
  readonly remember: (token: string, found: Found, nowMs: number) => void
}

/** Makes an empty memory. It holds digests alone, so that nobody finds tokens in the heap. */
export const make = (): CheckedTokens => {
  const checked = new Generations<{ readonly found: Found; readonly checkedMs: number }>(generationMaxCount)
  const keyOf = (token: string): string => createHash("sha256").update(token).digest("base64")
  return {
    find: (token, nowMs, atMs) => {
      const known = checked.get(keyOf(token))
      const isGood = known !== undefined && nowMs - known.checkedMs < rememberedMs && atMs < known.found.expiresMs
      return isGood ? known.found : undefined
    },
    remember: (token, found, nowMs) => checked.put(keyOf(token), { found, checkedMs: nowMs })
  }
}
