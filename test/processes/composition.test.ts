/** Runs the programs of examples/compose as users do, on each runtime: each composition serves its routes and ends in order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Asked } from "./Exchange.ts"
import { eventually, expectThat, freePort, type Runtime } from "./Processes.ts"
import { ask, type Program, post, startProgram, temporaryDirectory, whenOk } from "./Programs.ts"

const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]

/** On Node three of them run from their files, as those of users do. The others need not load six hundred files for it. */
const isBundled = true

const anvil = { name: "Anvil", stock: 3 }

const stopsInOrder = Effect.fnUntraced(function* (program: Program) {
  yield* program.signal("SIGTERM")
  assert.strictEqual(yield* program.ended, 0, program.output())
})

const typeOf = (text: string): unknown => JSON.parse(text).type

for (const runtime of runtimes) {
  describe(`a node composed of layers, on ${runtime}`, () => {
    it.live("hello: everything on one port, in six lines", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const script = "examples/compose/hello.ts"
        const args = ["--port", String(port)]
        const program = yield* startProgram({ runtime, script, args, cwd: yield* temporaryDirectory })
        yield* whenOk(program, port, "/readyz")
        const created = yield* post(port, "/api/products", anvil)
        assert.strictEqual(created.status, 201, created.text)
        const read = yield* ask(port, created.headers.get("location") ?? "")
        assert.strictEqual(read.text, created.text)
        for (const path of ["/docs", "/openapi.json", "/metrics", "/_admin/api/cluster", "/livez"]) {
          assert.strictEqual((yield* ask(port, path)).status, 200, path)
        }
        assert.strictEqual(typeOf((yield* ask(port, "/nothing")).text), "urn:lithair:problem:not-found")
        yield* stopsInOrder(program)
      }).pipe(Effect.scoped)
    )

    it.live("own: routes and an HttpApi of one's own beside the derived API, under a prefix and behind a guard", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const script = "examples/compose/own.ts"
        const args = ["--port", String(port)]
        const program = yield* startProgram({ runtime, script, args, cwd: yield* temporaryDirectory })
        yield* whenOk(program, port, "/readyz")
        const asAda = { headers: { authorization: "Bearer secret" } }
        const statuses = (paths: ReadonlyArray<string>, init?: Asked) =>
          Effect.forEach(paths, (path) => Effect.map(ask(port, path, init), ({ status }) => status))
        const guarded = ["/v1/api/products", "/shop/total", "/hello"]
        assert.deepStrictEqual(yield* statuses(guarded), [401, 401, 401])
        assert.strictEqual((yield* post(port, "/v1/api/products", anvil)).status, 401)
        const created = yield* post(port, "/v1/api/products", anvil, asAda.headers)
        assert.strictEqual(created.status, 201, created.text)
        yield* post(port, "/v1/api/products", anvil, asAda.headers)
        assert.deepStrictEqual(yield* statuses(guarded, asAda), [200, 200, 200])
        const location = created.headers.get("location") ?? ""
        assert.match(location, /^\/v1\/api\/products\//)
        assert.strictEqual((yield* ask(port, location, asAda)).text, created.text)
        const page = yield* ask(port, "/v1/api/products?limit=1", asAda)
        const [, next = ""] = /^<([^>]*)>; rel="next"$/.exec(page.headers.get("link") ?? "") ?? []
        assert.match(next, /^\/v1\/api\/products\?/)
        assert.strictEqual((yield* ask(port, next, asAda)).status, 200)
        assert.deepStrictEqual(JSON.parse((yield* ask(port, "/shop/total", asAda)).text), { total: 6, by: "ada" })
        const { paths } = JSON.parse((yield* ask(port, "/openapi.json")).text)
        for (const path of ["/v1/api/products", "/v1/api/_tx", "/shop/total", "/livez", "/_admin/api/cluster"]) {
          assert.property(paths, path)
        }
        assert.strictEqual(typeOf((yield* ask(port, "/v1/api/nothing")).text), "urn:lithair:problem:not-found")
        assert.strictEqual((yield* ask(port, "/api/products", asAda)).status, 404, "only the prefix is served")
        const elsewhere = yield* ask(port, "/nothing")
        assert.deepStrictEqual([elsewhere.status, elsewhere.text], [404, ""], "paths of the application's stay its own")
        assert.strictEqual((yield* ask(port, "/v1/api/products", { ...asAda, method: "PATCH" })).status, 405)
        yield* stopsInOrder(program)
      }).pipe(Effect.scoped)
    )

    it.live("admin: clients on one port, administration and peers on another", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const adminPort = yield* freePort
        const script = "examples/compose/admin.ts"
        const args = [String(port), String(adminPort)]
        const program = yield* startProgram({ runtime, isBundled, script, args, cwd: yield* temporaryDirectory })
        yield* whenOk(program, adminPort, "/readyz")
        assert.strictEqual((yield* post(port, "/api/products", anvil)).status, 201)
        const ofClients = yield* Effect.forEach(["/_admin/api/cluster", "/metrics", "/_raft", "/readyz"], (path) =>
          Effect.map(ask(port, path), ({ status }) => status)
        )
        assert.deepStrictEqual(ofClients, [404, 404, 404, 404])
        const ofOperators = yield* Effect.forEach(["/_admin/api/cluster", "/metrics", "/api/products"], (path) =>
          Effect.map(ask(adminPort, path), ({ status }) => status)
        )
        assert.deepStrictEqual(ofOperators, [200, 200, 404])
        yield* stopsInOrder(program)
      }).pipe(Effect.scoped)
    )

    it.live("worker: a program that changes records and serves only its peers", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const script = "examples/compose/worker.ts"
        const args = [String(port)]
        const program = yield* startProgram({ runtime, isBundled, script, args, cwd: yield* temporaryDirectory })
        yield* eventually(
          () => `the worker creates records; it said: ${program.output()}`,
          Effect.suspend(() => expectThat(program.output().split("created").length > 3, "it created three"))
        )
        assert.strictEqual((yield* ask(port, "/api/products")).status, 404)
        yield* stopsInOrder(program)
      }).pipe(Effect.scoped)
    )

    it.live("memory: a node without a socket, and the routes of own.ts on a cluster in memory", () =>
      Effect.gen(function* () {
        const script = "examples/compose/memory.ts"
        const program = yield* startProgram({ runtime, script, cwd: yield* temporaryDirectory })
        assert.strictEqual(yield* program.ended, 0, program.output())
        assert.include(program.output(), "memory: ok")
      }).pipe(Effect.scoped)
    )

    it.live("anywhere: one program by the services of a node, and over HTTP", () =>
      Effect.gen(function* () {
        const script = "examples/compose/anywhere.ts"
        const program = yield* startProgram({ runtime, isBundled, script, cwd: yield* temporaryDirectory })
        assert.strictEqual(yield* program.ended, 0, program.output())
        assert.include(program.output(), "anywhere: ok")
      }).pipe(Effect.scoped)
    )

    it.live("follow: a file that follows changes, over a stop of its program", () =>
      Effect.gen(function* () {
        const script = "examples/compose/follow.ts"
        const program = yield* startProgram({ runtime, isBundled, script, cwd: yield* temporaryDirectory })
        assert.strictEqual(yield* program.ended, 0, program.output())
        assert.include(program.output(), "follow: ok")
      }).pipe(Effect.scoped)
    )

    it.live("together: one stream of the changes of two models", () =>
      Effect.gen(function* () {
        const script = "examples/compose/together.ts"
        const program = yield* startProgram({ runtime, isBundled, script, cwd: yield* temporaryDirectory })
        assert.strictEqual(yield* program.ended, 0, program.output())
        assert.include(program.output(), "together: ok")
      }).pipe(Effect.scoped)
    )
  })
}
