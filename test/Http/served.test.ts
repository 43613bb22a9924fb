/** What a node serves and what its document says are the same: each path that is documented, with each of its verbs. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { commands, models, Product } from "../../examples/models.ts"
import { transferLayer } from "../../examples/transfer.ts"
import * as Projection from "../../src/Projection.ts"
import { TestCluster } from "../../src/Testing.ts"

const count = Projection.make("count", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (state: number) => state + 1
})

it.effect("a node serves what its document says, and the document says what it serves", () =>
  Effect.gen(function* () {
    const { on } = yield* TestCluster
    const ask = (request: HttpClientRequest.HttpClientRequest) => on("n1", HttpClient.execute(request))
    const document = yield* Effect.flatMap(on("n1", HttpClient.get("/openapi.json")), ({ json }) => json)
    const { paths } = document as unknown as { readonly paths: Record<string, Record<string, unknown>> }
    const id = "01a22be7-ae1f-71c3-9986-6e19251ec1ea"
    for (const [path, methods] of Object.entries(paths)) {
      if (path.startsWith("/_raft")) continue
      const target = path.replace("{id}", id).replaceAll(/\{\w+\}/g, "n1")
      // A verb that no path knows is answered with those that this one knows.
      const { headers, status } = yield* ask(HttpClientRequest.make("TRACE")(target))
      assert.strictEqual(status, 405, path)
      const known = (headers.allow ?? "").split(", ").filter((method) => method !== "HEAD")
      assert.sameMembers(
        known,
        Object.keys(methods).map((method) => method.toUpperCase()),
        path
      )
    }
    // And what the page of the contract names is there.
    const page = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8")
    const named = [...page.matchAll(/`(?:GET|POST|PUT|PATCH|DELETE) (\/[^`?\s]*)`/g)].map(([, path = ""]) => path)
    const documented = new Set(Object.keys(paths))
    const asDocumented = (path: string) =>
      path
        .replace("{m}", "products")
        .replace("_commands/{name}", "_commands/transfer")
        .replace("_projections/{name}", "_projections/count")
        .replace("erasures/{model}/{id}", "erasures/{model}/{record}")
        .replace("keys/{id}", "keys/{member}")
        .replace(/members\/\{id\}(:promote)?/, "members/{member}")
    const missing = named.map(asDocumented).filter((path) => path !== "/_raft" && !documented.has(path))
    assert.deepStrictEqual(missing, [])
    assert.isAbove(named.length, 15)
  }).pipe(
    Effect.provide(TestCluster.layer({ models, commands, projections: [count] }).pipe(Layer.provide(transferLayer)))
  )
)
