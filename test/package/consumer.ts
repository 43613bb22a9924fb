/**
 * What a user writes, against the installed package: a model, a projection into SQLite, one node as a cluster of one, one
 * write and its reads. The tests run it on each runtime, bundled and compiled; it prints what it got as one line of JSON.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { HttpServer } from "effect/http"
import { Lithair, Model, Projection } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { run } from "lithair/testing"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const names = Projection.sqlite("names", {
  from: [Product],
  version: 1,
  ddl: "CREATE TABLE names (name TEXT)",
  evolve: ({ record, type }) =>
    type === "created" ? [{ sql: "INSERT INTO names VALUES (?)", params: [record.name] }] : []
})

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-consumer-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** One request; its connection does not outlive it, so that the server has nothing to wait for. */
const request = (url: string, init: RequestInit = {}) =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, {
      ...init,
      signal,
      headers: { "content-type": "application/json", connection: "close" }
    })
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
  })

const ready = (origin: string) =>
  request(`${origin}/readyz`).pipe(
    Effect.filterOrFail(({ status }) => status === 200),
    Effect.timeout("1 second"),
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 100 })
  )

const program = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const server = yield* Layer.build(layerServer({ port: 0 }))
  const { address } = Context.get(server, HttpServer.HttpServer)
  if (address._tag === "UnixPathAddress") return yield* Effect.die("The server has no port")
  const at = `127.0.0.1:${address.port}`
  const node = Lithair.layerHttp({ models: [Product], projections: [names] }).pipe(
    Layer.provide(Lithair.layerHost({ address: at, directory })),
    Layer.provide(Layer.succeedContext(server))
  )
  const origin = `http://${at}`
  const got = yield* Effect.gen(function* () {
    yield* ready(origin)
    const body = JSON.stringify({ name: "Chair" })
    const created = yield* request(`${origin}/api/products`, { method: "POST", body })
    const read = yield* request(`${origin}/api/products/${created.body.id}`)
    const rows = yield* Projection.query(names, { sql: "SELECT name FROM names" })
    return { created, read, rows }
  }).pipe(Effect.provide(node), Lithair.supervise)
  const simulated = run({ seed: 1, nodeCount: 3, stepCount: 500 })
  yield* Effect.sync(() => console.log(JSON.stringify({ ...got, simulated })))
}).pipe(Effect.scoped)

runMain(program)
