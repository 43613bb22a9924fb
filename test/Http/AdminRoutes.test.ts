/** Changing a cluster over HTTP, as whoever makes a mistake meets it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Model.replicate(Schema.String)
}) {}

describe("the routes of a cluster's administration", () => {
  it.effect("a body that does not fit is 400 and names each place that is wrong, as any other body", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const bodies: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
        [{}, ["id", "address", "instanceId"]],
        [{ id: "a", address: "a", instanceId: "i", promote: "yes", other: 1 }, ["promote", "other"]],
        [[], [""]]
      ]
      for (const [body, paths] of bodies) {
        const answer = yield* on(
          "n1",
          HttpClientRequest.post("/_admin/api/members").pipe(
            HttpClientRequest.bodyJsonUnsafe(body),
            HttpClient.execute,
            Effect.flatMap(({ json, status }) => Effect.map(json, (json) => ({ json, status })))
          )
        )
        const met = answer.json as { readonly type: string; readonly errors: ReadonlyArray<{ readonly path: string }> }
        assert.deepStrictEqual([answer.status, met.type], [400, "urn:lithair:problem:invalid-request"])
        assert.sameMembers(
          met.errors.map(({ path }) => path),
          [...paths]
        )
      }
    }).pipe(Effect.provide(TestCluster.layer({ models: [Product] })))
  )
})
