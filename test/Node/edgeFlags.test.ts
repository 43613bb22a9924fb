/** The flags of the edge, and their variables. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { Command } from "effect/cli"
import type { EdgeOptions } from "../../src/Http/EdgeOptions.ts"
import { edgeFlags, edgeOf } from "../../src/Node/EdgeFlags.ts"

/** The settings that these arguments and variables give. */
const given = (args: ReadonlyArray<string>, variables: Record<string, string> = {}) =>
  Effect.gen(function* () {
    let edge: EdgeOptions | undefined
    const command = Command.make("node", edgeFlags, (values) =>
      Effect.map(edgeOf(values), (found) => {
        edge = found
      })
    )
    yield* Command.runWith(command, { version: "1" })(args)
    return edge
  }).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: variables })),
    Effect.provide(NodeServices.layer)
  )

describe("the flags of the edge", () => {
  it.effect("say nothing where nothing is said, so that the application's settings hold", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* given([]), {})
    })
  )

  it.effect("give each setting, as their variables do", () =>
    Effect.gen(function* () {
      const edge: EdgeOptions = {
        trustedProxies: ["10.0.0.0/8", "192.168.1.7"],
        forwardedHeader: "forwarded",
        addressRate: { perSecond: 100, burst: 200 },
        principalRate: { perSecond: 2.5, burst: 3 },
        failedCredentialsPerMinute: 5,
        streamsOfOneMax: 64,
        corsOrigins: ["https://a.example", "https://b.example"],
        requestLog: true
      }
      const args = [
        ["--trusted-proxies", "10.0.0.0/8, 192.168.1.7"],
        ["--forwarded-header", "Forwarded"],
        ["--address-rate", "100/200"],
        ["--principal-rate", "2.5"],
        ["--failed-credentials-per-minute", "5"],
        ["--streams-of-one", "64"],
        ["--cors-origins", "https://a.example,https://b.example"],
        ["--request-log"]
      ].flat()
      assert.deepStrictEqual(yield* given(args), edge)
      const variables = {
        LITHAIR_TRUSTED_PROXIES: "10.0.0.0/8,192.168.1.7",
        LITHAIR_FORWARDED_HEADER: "forwarded",
        LITHAIR_ADDRESS_RATE: "100/200",
        LITHAIR_PRINCIPAL_RATE: "2.5",
        LITHAIR_FAILED_CREDENTIALS_PER_MINUTE: "5",
        LITHAIR_STREAMS_OF_ONE: "64",
        LITHAIR_CORS_ORIGINS: "https://a.example,https://b.example",
        LITHAIR_REQUEST_LOG: "true"
      }
      assert.deepStrictEqual(yield* given([], variables), edge)
    })
  )

  it.effect("that are wrong are one line", () =>
    Effect.gen(function* () {
      for (const args of [
        ["--address-rate", "fast"],
        ["--principal-rate", "10/"],
        ["--principal-rate", "-1"],
        ["--forwarded-header", "via"]
      ]) {
        const met = yield* Effect.flip(given(args))
        assert.match(String(met.message), new RegExp(`^${args[0]}: `))
      }
    })
  )
})
