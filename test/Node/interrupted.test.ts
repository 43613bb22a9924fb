/** What a server of `lithair/node` answers when it closes before a route of the application has answered. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { layerServer } from "../../src/node.ts"

const stopWhileAsked = Effect.fnUntraced(function* (method: "GET" | "POST") {
  const isAsked = yield* Deferred.make<void>()
  const route = HttpRouter.add(method, "/slow", Effect.andThen(Deferred.succeed(isAsked, undefined), Effect.never))
  const scope = yield* Scope.make()
  const served = HttpRouter.serve(route, { disableLogger: true, disableListenLog: true })
  const server = yield* Layer.buildWithScope(Layer.provideMerge(served, layerServer({ port: 0 })), scope)
  const { address } = yield* Effect.provide(HttpServer.HttpServer, server)
  const asked = yield* Effect.forkChild(
    Effect.promise(async () => {
      const port = address._tag === "UnixPathAddress" ? 0 : address.port
      const response = await fetch(`http://127.0.0.1:${port}/slow`, { method })
      return { response, body: JSON.parse(await response.text()) }
    })
  )
  yield* Deferred.await(isAsked)
  yield* Scope.close(scope, Exit.void)
  const { body, response } = yield* Fiber.join(asked)
  assert.strictEqual(response.headers.get("content-type"), "application/problem+json")
  assert.strictEqual(body.status, response.status)
  return body
})

describe("a server that closes before a route has answered", () => {
  it.live("says that a read was not done", () =>
    Effect.gen(function* () {
      const { definite, status, type } = yield* stopWhileAsked("GET")
      assert.deepStrictEqual([status, type, definite], [503, "urn:lithair:problem:draining", true])
    })
  )

  it.live("says that the outcome of a write is unknown", () =>
    Effect.gen(function* () {
      const { definite, status, type } = yield* stopWhileAsked("POST")
      assert.deepStrictEqual([status, type, definite], [504, "urn:lithair:problem:unknown-outcome", false])
    })
  )
})
