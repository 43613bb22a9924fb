/**
 * What a user writes, against the installed package: a model, one node as a cluster of one, one write and one read.
 * The tarball test runs it on each runtime; it prints what it got as one line of JSON.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { HttpServer } from "effect/http"
import { Lithair, Model } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { run } from "lithair/testing"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

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
  const node = Lithair.layerHttp({ models: [Product] }).pipe(
    Layer.provide(Lithair.layerHost({ address: at, directory })),
    Layer.provide(Layer.succeedContext(server))
  )
  yield* Effect.forkScoped(Lithair.launch(node))

  const origin = `http://${at}`
  yield* ready(origin)
  const created = yield* request(`${origin}/api/products`, { method: "POST", body: JSON.stringify({ name: "Chair" }) })
  const read = yield* request(`${origin}/api/products/${created.body.id}`)
  const simulated = run({ seed: 1, nodeCount: 3, stepCount: 500 })
  yield* Effect.sync(() => console.log(JSON.stringify({ created, read, simulated })))
}).pipe(Effect.scoped)

runMain(program)
