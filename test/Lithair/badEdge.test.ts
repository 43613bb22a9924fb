/** A wrong setting of the edge is a failure that says what is wrong, wherever it stands. docs/edge.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import type * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"

class Note extends Model.Class<Note>("Note")({ id: Model.id(Schema.String), n: Model.replicate(Schema.Int) }) {}

const settings: ReadonlyArray<readonly [Http.EdgeOptions, RegExp]> = [
  [{ trustedProxies: ["proxy.example"] }, /^Trusted proxies: "proxy\.example" is no address/],
  [{ addressRate: { perSecond: 0, burst: 1 } }, /^The rate of an address: /],
  [{ corsOrigins: ["*"] }, /^CORS: /],
  [{ streamsOfOneMax: -1 }, /^The streams of one caller/]
]

describe("a wrong setting of the edge", () => {
  for (const [edge, says] of settings) {
    it.effect(`of an application starts no node: ${JSON.stringify(edge)}`, () =>
      Effect.gen(function* () {
        const node = Lithair.layer({ models: [Note], edge }).pipe(
          Layer.provide([Lithair.layerMemory, Lithair.layerTest])
        )
        const failure = yield* Effect.flip(Effect.scoped(Layer.build(node)))
        assert.strictEqual(failure._tag, "BadEdge")
        assert.match(failure.message, says)
      })
    )
  }
})
