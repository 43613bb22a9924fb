/**
 * A node without `auth` is open: everybody who reaches it may do everything. So it answers this host alone. Foreign hosts (DNS
 * rebinding), pages of other origins and requests that came through a proxy are refused. docs/access.md.
 */
import { Effect, Option, Schema } from "effect"
import { HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import { type Problem, problem } from "../Problem.ts"
import { isLoopback } from "../Raft/peers/Handshake.ts"
import { isOfProxy } from "../Raft/peers/ThisHost.ts"
import { splitTarget } from "./Routing.ts"

/** The node would be open to other hosts. */
export class OpenToOthers extends Schema.TaggedError<OpenToOthers>()("OpenToOthers", { message: Schema.String }) {}

/** Health checks tell nothing of the data, and peers prove themselves: neither open mode nor limits by caller concern them. */
export const isExempt = (url: string): boolean => {
  const { path } = splitTarget(url)
  return path === "/livez" || path === "/readyz" || path === "/_raft"
}

const refused = (why: string): Problem =>
  problem(
    "open-mode",
    `This node has no auth, so it answers programs of its own host only, and ${why}: give the application auth, or insecureOpen`,
    {}
  )
const foreignHost = refused("the Host of this request is another one")
const foreignOrigin = refused("this request comes from a page of another host")
const proxied = refused("this request came through a proxy")

/** The last Host that was of this host: nearly all requests name the same one. */
let lastOwnHost: string | undefined

/** Whether a Host, with or without a port, names this host. */
const isOwn = (host: string): boolean => {
  if (host === lastOwnHost) return true
  if (!isLoopback(host.replace(/:\d*$/, ""))) return false
  lastOwnHost = host
  return true
}

/** Why an open node does not answer a request; undefined if it does. */
export const openRefusal = (
  url: string,
  headers: Readonly<Record<string, string | undefined>>
): Problem | undefined => {
  const { host, origin } = headers
  const isOwnHost = host === undefined || isOwn(host)
  const isOwnOrigin = origin === undefined || isOwn(origin.replace(/^https?:\/\//i, ""))
  let isProxied = false
  for (const name in headers) if (isOfProxy(name)) isProxied = true
  if ((isOwnHost && isOwnOrigin && !isProxied) || isExempt(url)) return undefined
  return !isOwnHost ? foreignHost : isProxied ? proxied : foreignOrigin
}

/** Fails unless the server of this context, if there is one, listens to its own host only. */
export const checkOpen: Effect.Effect<void, OpenToOthers> = Effect.gen(function* () {
  if (process.env.NODE_ENV === "production") {
    return yield* new OpenToOthers({
      message: "NODE_ENV is production and the application has no auth: give it auth, or say insecureOpen"
    })
  }
  const server = Option.getOrUndefined(yield* Effect.serviceOption(HttpServer.HttpServer))
  if (server === undefined || NetAddress.isUnixPathAddress(server.address)) return
  const { address } = server.address
  if (NetAddress.isLoopback(address)) return
  return yield* new OpenToOthers({
    message: `Cannot serve the API on ${NetAddress.formatIp(address)}: the application has no auth, so any host could read and change everything. Give it auth, or say insecureOpen`
  })
})
