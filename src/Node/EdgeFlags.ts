/** The flags of a node's edge, each with its `LITHAIR_*` variable, and the settings that they give. docs/edge.md. */
import { Config, Effect, Option } from "effect"
import { type Command, Flag } from "effect/cli"
import type { ForwardedHeader } from "../Http/ClientAddress.ts"
import type { EdgeOptions } from "../Http/EdgeOptions.ts"
import type { Rate } from "../Http/TokenBuckets.ts"
import { BadFlag } from "./Peers.ts"
import { textFlag } from "./TextFlag.ts"

const count = (name: string, variable: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withFallbackConfig(Config.Int(variable)), Flag.optional)

/** The flags. */
export const edgeFlags = {
  trustedProxies: textFlag(
    "trusted-proxies",
    "LITHAIR_TRUSTED_PROXIES",
    "Addresses and networks of proxies that say who their clients are, separated by commas"
  ),
  forwardedHeader: textFlag(
    "forwarded-header",
    "LITHAIR_FORWARDED_HEADER",
    "The header in which these proxies say it: x-forwarded-for (by default) or forwarded"
  ),
  addressRate: textFlag(
    "address-rate",
    "LITHAIR_ADDRESS_RATE",
    "How many requests a second one address may send, or 100/200: 100 a second, 200 at once; unlimited by default"
  ),
  principalRate: textFlag(
    "principal-rate",
    "LITHAIR_PRINCIPAL_RATE",
    "How many requests a second one principal may send to this node; unlimited by default"
  ),
  failedCredentialsPerMinute: count(
    "failed-credentials-per-minute",
    "LITHAIR_FAILED_CREDENTIALS_PER_MINUTE",
    "How many credentials of one address may fail in a minute; 20 by default"
  ),
  streamsOfOneMax: count(
    "streams-of-one",
    "LITHAIR_STREAMS_OF_ONE",
    "How many streams of events one principal may have on this node; 16 by default"
  ),
  corsOrigins: textFlag(
    "cors-origins",
    "LITHAIR_CORS_ORIGINS",
    "The origins whose pages may read the API, separated by commas; none by default"
  ),
  requestLog: Flag.Boolean("request-log").pipe(
    Flag.withDescription("Write one line of JSON for each request on the standard output"),
    Flag.withFallbackConfig(Config.Boolean("LITHAIR_REQUEST_LOG")),
    Flag.optional
  )
}

/** The values of these flags. */
export type EdgeValues = Command.Command.Config.Infer<typeof edgeFlags>

const listOf = (value: string): ReadonlyArray<string> => value.split(",").map((each) => each.trim())

const rateOf = Effect.fnUntraced(function* (flag: string, value: string): Effect.fn.Return<Rate, BadFlag> {
  const [, perSecond = "", burst = perSecond] = /^(\d+(?:\.\d+)?)(?:\/(\d+))?$/.exec(value) ?? []
  if (perSecond === "") {
    return yield* new BadFlag({ message: `${flag}: "${value}" is no rate: write 100, or 100/200 with a burst of 200` })
  }
  return { perSecond: Number(perSecond), burst: Math.ceil(Number(burst)) }
})

/** The settings that the flags give. Fails with `BadFlag`; the place checks what each takes. */
export const edgeOf = Effect.fnUntraced(function* (values: EdgeValues): Effect.fn.Return<EdgeOptions, BadFlag> {
  const given = Option.getOrUndefined
  const header = given(values.forwardedHeader)?.toLowerCase()
  if (header !== undefined && header !== "x-forwarded-for" && header !== "forwarded") {
    return yield* new BadFlag({
      message: `--forwarded-header: takes x-forwarded-for or forwarded, and not "${header}"`
    })
  }
  const addressRate = given(values.addressRate)
  const principalRate = given(values.principalRate)
  const options = {
    trustedProxies: given(Option.map(values.trustedProxies, listOf)),
    forwardedHeader: header as ForwardedHeader | undefined,
    addressRate: addressRate === undefined ? undefined : yield* rateOf("--address-rate", addressRate),
    principalRate: principalRate === undefined ? undefined : yield* rateOf("--principal-rate", principalRate),
    failedCredentialsPerMinute: given(values.failedCredentialsPerMinute),
    streamsOfOneMax: given(values.streamsOfOneMax),
    corsOrigins: given(Option.map(values.corsOrigins, listOf)),
    requestLog: given(values.requestLog)
  }
  // What is not given must not hide what the application says.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
})
