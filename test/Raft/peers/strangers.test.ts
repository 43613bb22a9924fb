/** What strangers may cost a node before they have proven themselves. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import {
  handshakesMaxCount,
  handshakesOfOneMaxCount,
  handshakesOfThisHostMaxCount,
  makeStrangers
} from "../../../src/Raft/peers/Strangers.ts"

describe("Strangers", () => {
  it("strangers of one address keep no stranger of another out, nor do they once they are gone", () => {
    const { admit } = makeStrangers()
    const ofOne = Array.from({ length: handshakesOfOneMaxCount }, () => admit("10.0.0.1"))
    assert.isTrue(ofOne.every((leave) => leave !== undefined))
    assert.isUndefined(admit("10.0.0.1"))
    assert.isDefined(admit("10.0.0.2"))
    ofOne[0]?.()
    // A second call must not count.
    ofOne[0]?.()
    assert.isDefined(admit("10.0.0.1"))
    assert.isUndefined(admit("10.0.0.1"))
  })

  it("this host has a larger share, since all nodes of a cluster may run on it", () => {
    const { admit } = makeStrangers()
    const ofThisHost = Array.from({ length: handshakesOfThisHostMaxCount }, () => admit("::ffff:127.0.0.1"))
    assert.isTrue(ofThisHost.every((leave) => leave !== undefined))
    assert.isUndefined(admit("::ffff:127.0.0.1"))
    assert.isDefined(admit("10.0.0.2"))
  })

  it("no more strangers are admitted than the limit, from however many addresses", () => {
    const { admit } = makeStrangers()
    const admitted = Array.from({ length: handshakesMaxCount }, (_, at) => admit(`10.0.0.${at}`))
    assert.isTrue(admitted.every((leave) => leave !== undefined))
    assert.isUndefined(admit("10.0.1.1"))
    admitted[0]?.()
    assert.isDefined(admit("10.0.1.1"))
  })

  it.effect("the log warns of at most one refused stranger in a second, and keeps the others for debugging", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel} ${String(message)}`))
    return Effect.gen(function* () {
      const { warn } = makeStrangers()
      yield* warn("1")
      yield* warn("2")
      yield* TestClock.adjust(999)
      yield* warn("3")
      yield* TestClock.adjust(1)
      yield* warn("4")
      assert.deepStrictEqual(logged, ["Warn 1", "Debug 2", "Debug 3", "Warn 4"])
    }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Debug"))
  })
})
