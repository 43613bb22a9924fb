/**
 * Finds where to dial an address now. Node and Deno resolve a host name at each dial. Bun remembers an address for 30
 * s, and would miss a node that moved, so on Bun the name is resolved before each dial.
 */
import { lookup } from "node:dns/promises"
import { Context, Effect, Random, Result } from "effect"
import { formatHost, parseAddress } from "./Address.ts"

/** Turns an address into one that leads to the same node now. */
export type Resolver = (address: string) => Effect.Effect<string>

/** All IP addresses of a host name; none if it has none now. */
export type Lookup = (host: string) => Promise<ReadonlyArray<{ readonly address: string }>>

/** Resolves before each dial. If there are several addresses, each dial picks one at random, since one of them may be gone. */
export const resolving =
  (lookup: Lookup): Resolver =>
  (address) =>
    Effect.gen(function* () {
      const parsed = parseAddress(address)
      if (Result.isFailure(parsed)) return address
      const { host, port } = parsed.success
      // A name without an address is dialled all the same: the runtime's error says best what is wrong.
      const found = yield* Effect.promise(() => lookup(host).catch(() => []))
      const at = found.length > 1 ? yield* Random.nextIntBetween(0, found.length - 1) : 0
      const ip = found[at]?.address
      return ip === undefined ? address : `${formatHost(ip)}:${port}`
    })

/** The resolver that this runtime needs. */
export const Resolver = Context.Reference<Resolver>("lithair/Raft/Resolver", {
  defaultValue: () =>
    "bun" in process.versions ? resolving((host) => lookup(host, { all: true })) : (address) => Effect.succeed(address)
})
