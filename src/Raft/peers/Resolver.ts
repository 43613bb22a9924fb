/**
 * Where an address is to be dialled now. Node and Deno resolve a host name at each dial; Bun remembers for 30 s where a
 * name led, and a node that moved would be missed for as long. There the name is resolved before each dial.
 */
import { lookup } from "node:dns/promises"
import { Context, Effect, Random, Result } from "effect"
import { formatHost, parseAddress } from "./Address.ts"

/** From an address to one that leads there now. */
export type Resolver = (address: string) => Effect.Effect<string>

/** All IP addresses of a host name; none where it has none now. */
export type Lookup = (host: string) => Promise<ReadonlyArray<{ readonly address: string }>>

/** Resolves before each dial. Of several addresses each dial takes one: one of them may be gone. */
export const resolving =
  (lookup: Lookup): Resolver =>
  (address) =>
    Effect.gen(function* () {
      const parsed = parseAddress(address)
      if (Result.isFailure(parsed)) return address
      const { host, port } = parsed.success
      // A name that has no address is dialled all the same: the runtime says best what is wrong with it.
      const found = yield* Effect.promise(() => lookup(host).catch(() => []))
      const at = found.length > 1 ? yield* Random.nextIntBetween(0, found.length - 1) : 0
      const ip = found[at]?.address
      return ip === undefined ? address : `${formatHost(ip)}:${port}`
    })

/** What this runtime needs. */
export const Resolver = Context.Reference<Resolver>("lithair/Raft/Resolver", {
  defaultValue: () =>
    "bun" in process.versions ? resolving((host) => lookup(host, { all: true })) : (address) => Effect.succeed(address)
})
