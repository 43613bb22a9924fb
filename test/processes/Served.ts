/** The nodes that must keep the contract of the API: the follower of three nodes, and a node that is its own cluster. */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { type Answer, leaderOf, type RequestOptions, type Runtime, startCluster, type TestNode } from "./Processes.ts"
import { askRaw, type RawRequest } from "./Raw.ts"

/** The node that is asked, and all nodes of its cluster. */
export class Served extends Context.Service<
  Served,
  { readonly node: TestNode; readonly nodes: ReadonlyArray<TestNode> }
>()("test/Served") {}

export const layerFollower = Layer.effect(
  Served,
  Effect.gen(function* () {
    // A leader that a busy machine delays is not the subject here.
    const nodes = yield* startCluster(["node", "node", "node"], () =>
      Effect.succeed({ LITHAIR_ELECTION_TIMEOUT_MS: "2000" })
    )
    const leader = yield* leaderOf(nodes)
    return Served.of({ node: nodes.find((each) => each !== leader)!, nodes })
  })
)

export const layerAlone = (runtime: Runtime, script?: string) =>
  Layer.effect(
    Served,
    Effect.map(startCluster([runtime], undefined, script), (nodes) => Served.of({ node: nodes[0]!, nodes }))
  )

/** Asks the node that is held against the contract. */
export const ask = (method: string, path: string, options?: RequestOptions) =>
  Effect.flatMap(Served, ({ node }) => node.request(method, path, options))

/** The same, with nothing resolved, encoded or made well. */
export const askAsIs = (raw: RawRequest) => Effect.flatMap(Served, ({ node }) => askRaw(node, raw))

/** A new product. */
export const makeProduct = (body: object = {}) =>
  Effect.gen(function* () {
    const made = yield* ask("POST", "/api/products", { body: { name: "Anvil", price: "19.90", ...body } })
    assert.strictEqual(made.status, 201, JSON.stringify(made.body))
    const id: string = made.body.id
    return { ...made, id, path: `/api/products/${id}` }
  })

/** The answer is this problem, with all that every problem has, and it leaks nothing. */
export const assertProblem = (answer: Answer, status: number, name: string, what = ""): void => {
  const said = `${what} → ${answer.status} ${JSON.stringify(answer.body)?.slice(0, 400)}`
  assert.strictEqual(answer.status, status, said)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json", said)
  assert.strictEqual(answer.body?.type, `urn:lithair:problem:${name}`, said)
  assert.strictEqual(answer.body.status, status, said)
  assert.isString(answer.body.title, said)
  assert.match(answer.body.detail, /\S/, said)
  assert.notMatch(JSON.stringify(answer.body), /node_modules|\.ts\b|\bat \w+ \(|file:\/\//, said)
  assertPosition(answer, said)
}

/** Every answer says who gave it. */
export const assertPosition = ({ headers }: Answer, said = ""): void => {
  assert.match(headers.get("lithair-node") ?? "", /^127\.0\.0\.1:\d+$/, said)
  assert.match(headers.get("lithair-leader") ?? "", /^127\.0\.0\.1:\d+$/, said)
  assert.match(headers.get("lithair-term") ?? "", /^[1-9]\d*$/, said)
  assert.match(headers.get("lithair-index") ?? "", /^[1-9]\d*$/, said)
}
