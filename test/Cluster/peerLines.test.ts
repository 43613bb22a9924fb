/** The lines about members and peers, and those of a whole cluster over its life. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { membersLine } from "../../src/Cluster/PeerLines.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"
import { configurationOf, member } from "../Raft/core/Cores.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

describe("the line about the members", () => {
  it("names voters and learners, and says while a change is under way", () => {
    const three = configurationOf(["a", "b", "c"])
    assert.strictEqual(membersLine(three), "The voters are a, b, c")
    const learners = [{ ...member("d"), autoPromote: true }]
    assert.strictEqual(membersLine({ ...three, learners }), "The voters are a, b, c; the learners are d")
    assert.strictEqual(
      membersLine({ ...configurationOf(["a", "b", "d"]), outgoing: three.voters }),
      "The voters are a, b, d, c; a change of them is under way"
    )
  })
})

describe("the log of a node", () => {
  it.effect("has a line for who listens, who is connected, who leads, who the members are, and for a snapshot", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${message}`))
    const isSaid = (line: RegExp) =>
      assert.isTrue(
        logged.some((each) => line.test(each)),
        `${line} is in ${logged.join("\n")}`
      )
    return Effect.gen(function* () {
      const cluster = yield* TestCluster
      const leader = yield* cluster.leader
      const gone = cluster.nodes.find((node) => node !== leader)!
      isSaid(
        /^Info Node n1 listens at \S+ \(Lithair \d+\.\d+\.\d+\): it is open, and answers programs of this host only$/
      )
      for (const node of cluster.nodes) isSaid(new RegExp(`^Info Connected to ${node}$`))
      isSaid(/^Info This node leads term \d+$/)
      for (let at = 0; at < 30; at++) {
        yield* cluster.on(
          leader,
          HttpClientRequest.post("/api/products").pipe(
            HttpClientRequest.bodyJsonUnsafe({ name: "x".repeat(1_000) }),
            HttpClient.execute
          )
        )
      }
      yield* cluster.advance("2 seconds")
      isSaid(/^Info Took a snapshot through entry \d+: \d+ bytes in \d+ ms$/)
      const removal = Effect.gen(function* () {
        const { headers } = yield* HttpClient.get("/_admin/api/members")
        const change = HttpClientRequest.delete(`/_admin/api/members/${gone}?force=true`)
        return yield* HttpClient.execute(HttpClientRequest.setHeader(change, "if-match", headers.etag ?? ""))
      })
      assert.strictEqual((yield* cluster.on(leader, removal)).status, 200)
      yield* cluster.advance("2 seconds")
      const others = cluster.nodes.filter((node) => node !== gone)
      isSaid(new RegExp(`^Info The voters are ${others.join(", ")}$`))
    }).pipe(
      Effect.provide(TestCluster.layer({ models: [Product], raft: { snapshotAfterBytes: 16 * 1024 } })),
      Effect.provide(Logger.layer([logger]))
    )
  })
})
