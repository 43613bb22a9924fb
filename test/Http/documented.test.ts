/** The document names what is served beside it: an application may leave endpoints of the node out. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpClient } from "effect/http"
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Http from "../../src/Http.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  text: Model.replicate(Schema.String)
}) {}

const own = HttpApi.make("own").add(HttpApiGroup.make("own").add(HttpApiEndpoint.get("own", "/own")))

const documented = (others: Parameters<typeof TestCluster.layer>[0]["routes"]) =>
  Effect.gen(function* () {
    const { on } = yield* TestCluster
    const { paths } = (yield* on(
      "n1",
      Effect.flatMap(HttpClient.get("/openapi.json"), ({ json }) => json)
    )) as {
      readonly paths: Record<string, unknown>
    }
    return Object.keys(paths).filter((path) => !path.startsWith("/v1/api/"))
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Note],
        // The documents come first: what is mounted after them is known too.
        routes: Layer.mergeAll(
          Http.layerDocs({ prefix: "/v1", apis: [own] }),
          Http.layerApi({ prefix: "/v1" }),
          others!
        ),
        size: 1
      })
    )
  )

describe("the document of a node", () => {
  it.live("leaves out endpoints of the node that are not served beside it", () =>
    Effect.gen(function* () {
      const paths = ["/livez", "/readyz", "/openapi.json", "/docs", "/own"]
      assert.deepStrictEqual(yield* documented(Http.layerHealth), paths)
    })
  )

  it.live("names the administration where it is served", () =>
    Effect.gen(function* () {
      const paths = yield* documented(Http.layerAdmin)
      for (const path of ["/metrics", "/_admin/api/members/{member}", "/_admin/api/leader:transfer", "/own"]) {
        assert.include(paths, path)
      }
      assert.notInclude(paths, "/livez")
    })
  )
})
