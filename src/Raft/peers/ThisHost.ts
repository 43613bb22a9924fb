/**
 * Decides whether a request comes from a program of this host. A page in a browser and a proxy do not count, since any
 * host can send through them. A proxy that only passes bytes on (ssh -L, socat) cannot be recognised.
 */
import { Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { isLoopback } from "./Handshake.ts"

/** The parts of a request that tell where it comes from. `peerAddress` is the socket's: no header changes it. */
export type Caller = Pick<HttpServerRequest.HttpServerRequest, "headers" | "peerAddress">

const ofProxies: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "true-client-ip",
  "cf-connecting-ip"
])

/** Headers that a proxy adds. Any client can set them. */
export const isOfProxy = (name: string): boolean => ofProxies.has(name) || name.startsWith("x-forwarded")

/** Whether the request comes from a page in a browser: it names its origin, and no program does. */
export const isOfPage = ({ headers }: Caller): boolean =>
  headers.origin !== undefined || (headers["sec-fetch-site"] !== undefined && headers["sec-fetch-site"] !== "none")

/** Why a request does not count as one of this host; undefined if it does. */
export const notOfThisHost = (caller: Caller): string | undefined => {
  const { headers } = caller
  const address = Option.getOrUndefined(caller.peerAddress)
  if (address === undefined || !isLoopback(address)) return "it comes from another host"
  if (isOfPage(caller)) return "it comes from a page in a browser"
  if (Object.keys(headers).some(isOfProxy)) return "it comes through a proxy"
  // A foreign name that was made to point to this host (DNS rebinding).
  const name = headers.host?.replace(/:\d*$/, "")
  return name === undefined || isLoopback(name) ? undefined : "its Host is not of this host"
}
