/** The settings of a node's edge: which proxies it believes, what it limits, which pages may read it, what it logs. */
import { Result } from "effect"
import { type ForwardedHeader, parseNetworks } from "./ClientAddress.ts"
import { wrongWithOrigin } from "./Cors.ts"
import type { RequestLogOption } from "./RequestLog.ts"
import type { Rate } from "./TokenBuckets.ts"

/** Settings of a node's edge. Each has a default; see docs/edge.md. */
export interface EdgeOptions {
  /** Addresses and networks of proxies, such as `10.0.0.0/8`, that say who their clients are. None by default. */
  readonly trustedProxies?: ReadonlyArray<string>
  /** The header in which these proxies say it; `x-forwarded-for` by default. */
  readonly forwardedHeader?: ForwardedHeader
  /** How many requests one address may send, before anybody asks who it is. Unlimited by default. */
  readonly addressRate?: Rate
  /** How many requests one principal may send to this node. Unlimited by default. */
  readonly principalRate?: Rate
  /** How many credentials of one address may fail in a minute, before the node looks at no more of them; 20 by default. */
  readonly failedCredentialsPerMinute?: number
  /** How many streams of events one principal may have, or one address if nobody has signed in; 16 by default. */
  readonly streamsOfOneMax?: number
  /** The origins whose pages may read the API, such as `https://shop.example`. None by default. */
  readonly corsOrigins?: ReadonlyArray<string>
  /** Whether to log one line of JSON for each request on the standard output, or what takes each. False by default. */
  readonly requestLog?: RequestLogOption
}

/** How many credentials of one address may fail in a minute by default. */
export const failedCredentialsPerMinuteDefault = 20
/** How many streams of events one caller may have by default. */
export const streamsOfOneMaxDefault = 16

const wrongWithRate = (name: string, rate: Rate | undefined): string | undefined =>
  rate === undefined || (rate.perSecond > 0 && Number.isFinite(rate.perSecond) && isCount(rate.burst))
    ? undefined
    : `${name}: write how many requests a second, more than 0, and how many at once, a whole number from 1 on`

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

/** What is wrong with settings; undefined if nothing is. */
export const wrongWithEdge = (options: EdgeOptions): string | undefined => {
  const { addressRate, corsOrigins = [], failedCredentialsPerMinute, principalRate, streamsOfOneMax } = options
  const { forwardedHeader, trustedProxies = [] } = options
  const networks = parseNetworks(trustedProxies)
  if (Result.isFailure(networks)) return `Trusted proxies: ${networks.failure}`
  if (forwardedHeader !== undefined && !["x-forwarded-for", "forwarded"].includes(forwardedHeader)) {
    return `The header of proxies is x-forwarded-for or forwarded, and not "${forwardedHeader}"`
  }
  const wrongOrigin = corsOrigins.map(wrongWithOrigin).find((wrong) => wrong !== undefined)
  if (wrongOrigin !== undefined) return `CORS: ${wrongOrigin}`
  if (failedCredentialsPerMinute !== undefined && !isCount(failedCredentialsPerMinute)) {
    return "The failed credentials of a minute are a whole number from 1 on"
  }
  if (streamsOfOneMax !== undefined && !isCount(streamsOfOneMax)) {
    return "The streams of one caller are a whole number from 1 on"
  }
  return wrongWithRate("The rate of an address", addressRate) ?? wrongWithRate("The rate of a principal", principalRate)
}
