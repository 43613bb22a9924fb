/** Commands whose handlers are wrong, or declare what no other does, as the HTTP API of three nodes answers them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  text: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

class TooShort extends Schema.TaggedError<TooShort>()("TooShort", { least: Schema.Int }, { httpApiStatus: 422 }) {}

const payload = Schema.Struct({ text: Schema.String })
const throws = Command.make("throws", { payload, success: Schema.Void })
const waits = Command.make("waits", { payload, success: Schema.Void })
const loops = Command.make("loops", { payload, success: Schema.Void })
const write = Command.make("write", { payload, success: Schema.Void, error: [TooShort] })

const noted = (text: string) => Effect.flatMap(Command.Transaction, ({ create }) => create(Note, { text }))

const handlers = Layer.mergeAll(
  Command.layer(throws, ({ text }) =>
    Effect.map(noted(text), () => {
      throw new Error("a secret")
    })
  ),
  Command.layer(waits, ({ text }) => Effect.andThen(noted(text), Effect.sleep("1 second"))),
  Command.layer(loops, ({ text }) => Effect.forever(noted(text))),
  Command.layer(write, ({ text }) =>
    text.length < 3 ? Effect.fail(new TooShort({ least: 3 })) : Effect.asVoid(noted(text))
  )
)

const call = ({ name }: Command.Any, text: string, headers: Record<string, string> = {}) =>
  HttpClientRequest.post(`/api/_commands/${name}`).pipe(
    HttpClientRequest.setHeaders(headers),
    HttpClientRequest.bodyJsonUnsafe({ text }),
    HttpClient.execute,
    Effect.flatMap((response) =>
      Effect.map(response.json, (body) => ({ status: response.status, body, headers: response.headers }))
    )
  )

const count = HttpClient.get("/api/notes?count=exact").pipe(
  Effect.flatMap(({ json }) => json),
  Effect.map((page) => (page as { readonly total: number }).total)
)

const kept: Array<string> = []
const provide = <A, E>(program: Effect.Effect<A, E, TestCluster>) =>
  program.pipe(
    Effect.provide(TestCluster.layer({ models: [Note], commands: [throws, waits, loops, write] })),
    Effect.provide(handlers),
    Effect.provide(Logger.layer([Logger.make(({ message }) => void kept.push(String(message)))]))
  )

describe("a command over HTTP", () => {
  it.effect(
    "that throws or waits is 500 through any node and says no more; the log names it, and the next one works",
    () =>
      Effect.gen(function* () {
        const { leader, nodes, on } = yield* TestCluster
        const leading = yield* leader
        for (const [at, node] of nodes.entries()) {
          for (const wrong of [throws, waits]) {
            const { body, status } = yield* on(node, call(wrong, "never"))
            assert.deepInclude(body, { type: "urn:lithair:problem:internal", status: 500 })
            assert.strictEqual(status, 500)
            assert.notInclude(JSON.stringify(body), "secret")
          }
          assert.deepInclude(yield* on(node, call(write, "a note")), { status: 200, body: null })
          assert.strictEqual(yield* on(node, count), at + 1)
        }
        for (const { name } of [throws, waits]) {
          assert.strictEqual(kept.filter((line) => line.includes(`command ${name} failed`)).length, nodes.length)
        }
        assert.strictEqual(yield* leader, leading)
      }).pipe(provide)
  )

  it.effect("that does not end is stopped by its bound: 413, and nothing of it is there", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const { body, status } = yield* on("n2", call(loops, "again"))
      assert.strictEqual(status, 413)
      assert.deepInclude(body, { type: "urn:lithair:problem:too-large" })
      assert.strictEqual(yield* on("n2", count), 0)
      assert.isTrue(kept.some((line) => line.includes("command loops was stopped at 10000 events")))
    }).pipe(provide)
  )

  it.effect("that says no does so by the status and the fields of its error, and again to a copy elsewhere", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const headers = { "idempotency-key": "k" }
      const problem = {
        least: 3,
        type: "urn:lithair:problem:too-short",
        status: 422,
        title: "Too short",
        detail: "Too short"
      }
      const first = yield* on("n1", call(write, "a", headers))
      assert.deepInclude(first, { status: 422, body: problem })
      const copy = yield* on("n3", call(write, "a", headers))
      assert.deepInclude(copy, { status: 422, body: problem })
      assert.strictEqual(copy.headers["idempotent-replayed"], "true")
    }).pipe(provide)
  )
})
