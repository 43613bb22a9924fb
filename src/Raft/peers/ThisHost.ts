/**
 * Whether a request comes from a program of this host. A page in a browser and a proxy are none: through them anybody
 * speaks from here. A proxy that adds no header (ssh -L, socat, nginx by default) cannot be told apart.
 */
import { Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { isLoopback } from "./Handshake.ts"

/** What a request says of itself. `peerAddress` is the socket's: no header changes it. */
export type Caller = Pick<HttpServerRequest.HttpServerRequest, "headers" | "peerAddress">

/** Headers that a proxy adds; what they say, anybody may say. */
const isOfProxy = (name: string): boolean =>
  name.startsWith("x-forwarded") ||
  ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"].includes(name)

/** A page in a browser: it says where it came from, and no program does. */
export const isOfPage = ({ headers }: Caller): boolean =>
  headers.origin !== undefined || (headers["sec-fetch-site"] !== undefined && headers["sec-fetch-site"] !== "none")

/** Why a request does not count as one of this host; undefined if it does. */
export const notOfThisHost = (caller: Caller): string | undefined => {
  const { headers } = caller
  const address = Option.getOrUndefined(caller.peerAddress)
  if (address === undefined || !isLoopback(address)) return "it comes from another host"
  if (isOfPage(caller)) return "it comes from a page in a browser"
  if (Object.keys(headers).some(isOfProxy)) return "it comes through a proxy"
  // A name that somebody else made point to this host (DNS rebinding).
  const name = headers.host?.replace(/:\d*$/, "")
  return name === undefined || isLoopback(name) ? undefined : "its Host is not of this host"
}
