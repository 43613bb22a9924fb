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

const ask = (request: HttpClientRequest.HttpClientRequest) =>
  HttpClient.execute(request).pipe(
    Effect.flatMap(({ json, status }) => Effect.map(json, (json) => ({ json: json as Answered, status })))
  )

interface Answered {
  readonly type?: string
  readonly reason?: string
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly members?: ReadonlyArray<{ readonly id: string; readonly voter: boolean }>
}

/** Every request that changes the cluster. */
const changes: ReadonlyArray<readonly [string, HttpClientRequest.HttpClientRequest]> = [
  ["adds a member", HttpClientRequest.post("/_admin/api/members")],
  ["replaces the voters", HttpClientRequest.put("/_admin/api/members")],
  ["removes a member", HttpClientRequest.delete("/_admin/api/members/n1?force=true")],
  ["promotes a member", HttpClientRequest.post("/_admin/api/members/n1:promote")],
  ["activates without a member", HttpClientRequest.post("/_admin/api/models:activate")],
  ["moves the leader", HttpClientRequest.post("/_admin/api/leader:transfer")]
]

/** The entity tag of the members, as a node knows them. */
const tagAt = (nodeId: string) =>
  Effect.flatMap(TestCluster, ({ on }) =>
    on(
      nodeId,
      Effect.map(HttpClient.get("/_admin/api/members"), ({ headers }) => headers.etag ?? "")
    )
  )

const layer = (options: { readonly size?: number; readonly insecureOpen?: boolean } = {}) =>
  Effect.provide(TestCluster.layer({ models: [Product], ...options }))

describe("the routes of a cluster's administration", () => {
  it.effect("a body that does not fit is 400 and names each place that is wrong, as any other body", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const bodies: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
        [{}, ["id", "address", "instanceId"]],
        [{ id: "a", address: "a:1", instanceId: "i", promote: "yes", other: 1 }, ["promote", "other"]],
        [[], [""]],
        // A member that nobody can dial is none.
        ...["0.0.0.0:8081", "http://a:1", "a b:1", "a:99999", "", "a"].map(
          (address) => [{ id: "a", address, instanceId: "i" }, ["address"]] as const
        )
      ]
      for (const [body, paths] of bodies) {
        const request = HttpClientRequest.post("/_admin/api/members").pipe(HttpClientRequest.bodyJsonUnsafe(body))
        const { json, status } = yield* on("n1", ask(request))
        assert.deepStrictEqual([status, json.type], [400, "urn:lithair:problem:invalid-request"])
        assert.sameMembers(json.errors?.map(({ path }) => path) ?? [], [...paths], JSON.stringify(body))
      }
    }).pipe(layer())
  )

  it.effect("what only tells takes no parameter that it does not know", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const path of ["members", "models", "reactions", "projections"]) {
        const told = yield* on("n1", ask(HttpClientRequest.get(`/_admin/api/${path}`)))
        const refused = yield* on("n1", ask(HttpClientRequest.get(`/_admin/api/${path}?all=true`)))
        assert.deepStrictEqual(
          [told.status, refused.status, refused.json.type],
          [200, 400, "urn:lithair:problem:invalid-request"],
          path
        )
      }
    }).pipe(layer())
  )

  it.effect("nothing that changes the cluster is taken from a caller who is not of this host", () =>
    Effect.gen(function* () {
      const { leader, on } = yield* TestCluster
      const leading = yield* leader
      const before = yield* on("n1", ask(HttpClientRequest.get("/_admin/api/members")))
      for (const [what, request] of changes) {
        const forwarded = request.pipe(
          HttpClientRequest.bodyJsonUnsafe({}),
          HttpClientRequest.setHeader("x-forwarded-for", "10.0.0.7")
        )
        const { json, status } = yield* on("n1", ask(forwarded))
        assert.deepStrictEqual([status, json.type], [403, "urn:lithair:problem:forbidden"], what)
      }
      const after = yield* on("n1", ask(HttpClientRequest.get("/_admin/api/members")))
      assert.deepStrictEqual([after, yield* leader], [before, leading])
    }).pipe(layer({ insecureOpen: true }))
  )

  it.effect("below three voters a removal and a replacement say ?force=true, whichever node is asked", () =>
    Effect.gen(function* () {
      const { leader, nodes, on } = yield* TestCluster
      const leading = yield* leader
      const [other = "", third = ""] = nodes.filter((id) => id !== leading)
      const voters = (ids: ReadonlyArray<string>) => HttpClientRequest.bodyJsonUnsafe({ voters: ids })
      const ifMatch = HttpClientRequest.setHeader("if-match", yield* tagAt(other))
      const fewer = [
        HttpClientRequest.delete(`/_admin/api/members/${third}`).pipe(ifMatch),
        HttpClientRequest.put("/_admin/api/members").pipe(voters([leading, other]), ifMatch)
      ]
      for (const nodeId of [leading, other]) {
        for (const request of fewer) {
          const { json, status } = yield* on(nodeId, ask(request))
          assert.deepStrictEqual([status, json.reason], [409, "belowThreeVoters"])
        }
      }
      const forced = HttpClientRequest.delete(`/_admin/api/members/${third}?force=true`).pipe(ifMatch)
      const { json, status } = yield* on(other, ask(forced))
      assert.strictEqual(status, 200)
      assert.sameMembers(json.members?.map(({ id }) => id) ?? [], [leading, other])
    }).pipe(layer())
  )

  it.effect("a removal and a replacement say by If-Match which members the caller saw, on any node", () =>
    Effect.gen(function* () {
      const { leader, nodes, on } = yield* TestCluster
      const leading = yield* leader
      const [other = "", third = ""] = nodes.filter((id) => id !== leading)
      const tag = yield* tagAt(other)
      assert.match(tag, /^"\d+"$/)
      const unconditional = [
        HttpClientRequest.delete(`/_admin/api/members/${third}?force=true`),
        HttpClientRequest.put("/_admin/api/members?force=true").pipe(
          HttpClientRequest.bodyJsonUnsafe({ voters: [leading, other] })
        )
      ] as const
      const matching = (change: HttpClientRequest.HttpClientRequest) => (ifMatch: string) =>
        HttpClientRequest.setHeader(change, "if-match", ifMatch)
      const removal = matching(unconditional[0])
      const replacement = matching(unconditional[1])
      for (const nodeId of [leading, other]) {
        for (const change of unconditional) {
          const { json, status } = yield* on(nodeId, ask(change))
          assert.deepStrictEqual([status, json.type], [428, "urn:lithair:problem:precondition-required"])
        }
        for (const change of [removal, replacement]) {
          const { json, status } = yield* on(nodeId, ask(change('"0"')))
          assert.deepStrictEqual([status, json.type], [412, "urn:lithair:problem:version-conflict"])
          for (const malformed of ["1", "*", 'W/"1"', '"1", "2"']) {
            assert.strictEqual((yield* on(nodeId, ask(change(malformed)))).status, 400, malformed)
          }
        }
      }
      const { json, status } = yield* on(other, ask(removal(tag)))
      assert.deepStrictEqual([status, json.members?.length], [200, 2])
      // The same request again would meet other members.
      assert.strictEqual((yield* on(other, ask(removal(tag)))).status, 412)
    }).pipe(layer())
  )

  it.effect("of four voters one is removed without force", () =>
    Effect.gen(function* () {
      const { leader, nodes, on } = yield* TestCluster
      const leading = yield* leader
      const removed = nodes.find((id) => id !== leading)
      const removal = HttpClientRequest.delete(`/_admin/api/members/${removed}`).pipe(
        HttpClientRequest.setHeader("if-match", yield* tagAt(leading))
      )
      const { status } = yield* on(leading, ask(removal))
      assert.strictEqual(status, 200)
    }).pipe(layer({ size: 4 }))
  )

  it.effect("a parameter that is none, or takes another value, is 400", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const query of ["force=yes", "force=false", "force=", "force=true&force=true", "forced=true"]) {
        const { json, status } = yield* on("n1", ask(HttpClientRequest.delete(`/_admin/api/members/n2?${query}`)))
        assert.deepStrictEqual([status, json.type], [400, "urn:lithair:problem:invalid-request"], query)
      }
    }).pipe(layer())
  )
})
