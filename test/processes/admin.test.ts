/** Who may change a running cluster, over real sockets: nodes that listen on all interfaces, asked from another address. */
import { networkInterfaces } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { exchange } from "./Exchange.ts"
import {
  clusterOf,
  eventually,
  expectThat,
  freePort,
  joinCluster,
  leaderOf,
  runToEnd,
  startCluster,
  type TestNode
} from "./Processes.ts"

const secret = "0123456789abcdef0123456789abcdef"
const environment = {
  LITHAIR_HOST: "0.0.0.0",
  LITHAIR_SECRET: secret,
  LITHAIR_INSECURE_OPEN: "true",
  LITHAIR_INSECURE_PEERS: "true"
}

/** An address of this machine other than loopback: to a node, a client from there is another host. */
const outside = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address

/** Asks as another host does; where the machine has no other address, through a proxy of this host. */
const ask = (
  node: TestNode,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {}
) => {
  const proxied = outside === undefined ? { "x-forwarded-for": "10.0.0.7" } : {}
  return Effect.map(
    exchange(`http://${outside ?? "127.0.0.1"}:${node.port}${path}`, {
      method,
      headers: { "content-type": "application/json", ...proxied, ...options.headers },
      body: options.body === undefined ? undefined : JSON.stringify(options.body)
    }),
    ({ headers, status, text }) => ({ status, etag: headers.get("etag") ?? "", body: JSON.parse(text) })
  )
}

const membersOf = (node: TestNode) => Effect.map(ask(node, "GET", "/_admin/api/members"), ({ body }) => body)

describe("the administration", () => {
  it.live(
    "two requests without a credential make nothing of three nodes; the secret does, and a joining node proves it",
    () =>
      Effect.gen(function* () {
        const start = (port: number) => Effect.succeed({ ...environment, LITHAIR_ADDRESS: `127.0.0.1:${port}` })
        const nodes = yield* startCluster(["node", "node", "node"], start)
        const leader = yield* leaderOf(nodes)
        const [other, third] = nodes.filter(({ id }) => id !== leader.id) as [TestNode, TestNode]
        const before = yield* membersOf(leader)

        for (const node of [leader, other]) {
          const attacks = [
            ask(node, "PUT", "/_admin/api/members?force=true", { body: { voters: [node.id] } }),
            ask(node, "DELETE", `/_admin/api/members/${third.id}?force=true`),
            ask(node, "POST", "/_admin/api/members", { body: { id: "x", address: "x:1", instanceId: "i" } }),
            ask(node, "POST", `/_admin/api/members/${third.id}:promote`),
            ask(node, "POST", "/_admin/api/leader:transfer", { body: {} }),
            ask(node, "DELETE", `/_admin/api/members/${third.id}?force=true`, {
              headers: { authorization: `Bearer ${secret}0` }
            })
          ]
          for (const attack of attacks) {
            const { body, status } = yield* attack
            assert.deepStrictEqual([status, body.type], [401, "urn:lithair:problem:unauthenticated"])
          }
        }
        assert.deepStrictEqual(yield* membersOf(leader), before)
        assert.strictEqual((yield* clusterOf(leader)).leader, leader.id)

        for (const [key, says] of [
          [secret.split("").toReversed().join(""), /does not prove the cluster secret/],
          [undefined, /does not prove the cluster secret/]
        ] as const) {
          const port = String(yield* freePort)
          const joining = ["--join", `127.0.0.1:${other.port}`, ...(key === undefined ? [] : ["--secret", key])]
          const flags = ["--port", port, "--data", `${third.data}-${port}`, ...joining]
          const { code, stderr } = yield* runToEnd(flags)
          assert.strictEqual(code, 1)
          assert.match(stderr, says)
          assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
        }
        assert.deepStrictEqual(yield* membersOf(leader), before)

        const joined = yield* joinCluster(other, "node", { LITHAIR_SECRET: secret })
        const shown = Effect.map(ask(other, "GET", "/_admin/api/members"), ({ etag }) => ({
          headers: { authorization: `Bearer ${secret}`, "if-match": etag }
        }))
        // It may be becoming a voter, and there is one change at a time.
        yield* eventually(
          "the node that joined is removed with the secret",
          Effect.gen(function* () {
            const { body, status } = yield* ask(other, "DELETE", `/_admin/api/members/${joined.id}`, yield* shown)
            yield* expectThat(status === 200, `the answer is 200: ${JSON.stringify(body)}`)
          })
        )
        const remove = (query: string) =>
          eventually(
            "the node that is asked knows the members as they are",
            Effect.gen(function* () {
              const answer = yield* ask(other, "DELETE", `/_admin/api/members/${third.id}${query}`, yield* shown)
              yield* expectThat(answer.status !== 412, "they have not changed since")
              return answer
            })
          )
        const refused = yield* remove("")
        assert.deepStrictEqual([refused.status, refused.body.reason], [409, "belowThreeVoters"])
        const forced = yield* remove("?force=true")
        assert.deepStrictEqual(
          forced.body.members.map(({ id }: { id: string }) => id).toSorted(),
          [leader.id, other.id].toSorted()
        )
      }).pipe(Effect.scoped),
    120_000
  )
})
