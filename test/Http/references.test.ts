/** References over HTTP, on a cluster in memory: what refers to what is the same on every node, and after crashes. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpMethod } from "effect/http"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

const Id = Schema.String.check(Schema.isUUID())

class Author extends Model.Class<Author>("Author")({ id: Model.id(Id), name: Model.replicate(Schema.String) }) {}

class Book extends Model.Class<Book>("Book")(
  { id: Model.id(Id), authorId: Model.replicate(Id), note: Model.local(Schema.String) },
  { references: { authorId: { model: Author, onDelete: "cascade" } } }
) {}

class Loan extends Model.Class<Loan>("Loan")(
  { id: Model.id(Id), bookId: Model.replicate(Id) },
  { references: { bookId: { model: Book, onDelete: "restrict" } } }
) {}

const request = (method: HttpMethod.HttpMethod, path: string, body?: unknown) => {
  const asked = HttpClientRequest.make(method)(path)
  return HttpClient.execute(body === undefined ? asked : HttpClientRequest.bodyJsonUnsafe(asked, body)).pipe(
    Effect.flatMap((response) =>
      // biome-ignore lint/suspicious/noExplicitAny: the test says what it expects of a body
      Effect.map(response.status === 204 ? Effect.succeed(undefined) : response.json, (body: any) => ({
        status: response.status,
        body
      }))
    )
  )
}

it.effect(
  "a record that is referred to is not deleted, or all that refers to it is, on every node and after a crash",
  () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      const [one = "", two = ""] = cluster.nodes.filter((node) => node !== leader)
      const make = (path: string, body: unknown) =>
        Effect.map(cluster.on(one, request("POST", path, body)), ({ body, status }) => {
          assert.strictEqual(status, 201, JSON.stringify(body))
          return body.id as string
        })
      const authorId = yield* make("/api/authors", { name: "Ada" })
      const bookId = yield* make("/api/books", { authorId, note: "here" })
      yield* make("/api/books/_bulk", [{ authorId }, { authorId }])
      const loanId = yield* make("/api/loans", { bookId })

      const nobody = crypto.randomUUID()
      const lost = yield* cluster.on(two, request("POST", "/api/books", { authorId: nobody }))
      assert.deepInclude(lost.body, { type: "urn:lithair:problem:reference-missing", status: 409 })
      assert.deepStrictEqual(lost.body.errors, [{ path: "authorId", message: "No Author has this id" }])

      for (const node of cluster.nodes) {
        const kept = yield* cluster.on(node, request("DELETE", `/api/authors/${authorId}`))
        assert.deepInclude(kept.body, { type: "urn:lithair:problem:referenced", status: 409 })
        assert.deepStrictEqual(kept.body.by, { model: "Loan", field: "bookId", id: loanId })
      }

      yield* cluster.crash(leader)
      const ops = [
        { op: "delete", model: "Loan", id: loanId },
        { op: "delete", model: "Author", id: authorId, ifVersion: 1 }
      ]
      const done = yield* cluster.on(two, request("POST", "/api/_tx", { ops }))
      assert.strictEqual(done.status, 200, JSON.stringify(done.body))
      assert.deepStrictEqual(done.body.results, [
        { model: "Loan", id: loanId, version: 2 },
        { model: "Author", id: authorId, version: 2 }
      ])
      yield* cluster.restart(leader)
      yield* cluster.settle
      for (const node of cluster.nodes) {
        for (const path of ["authors", "books", "loans"]) {
          const { body } = yield* cluster.on(node, request("GET", `/api/${path}?count=exact`))
          assert.deepStrictEqual(body, { items: [], next: null, total: 0 }, `${node} ${path}`)
        }
        const again = yield* cluster.on(node, request("GET", `/api/books?authorId=eq.${authorId}`))
        assert.deepStrictEqual(again.body.items, [])
      }
    }).pipe(Effect.provide(TestCluster.layer({ models: [Author, Book, Loan], seed: 1 })))
)
