/**
 * Damage to the disk of a stopped node: with two others it heals from them, under load, and no acknowledged write is lost;
 * where peers cannot give back what is lost, the node refuses to start and changes nothing. docs/operating.md, "A damaged
 * disk"; C26.
 */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { moreWrites, underLoad, verify } from "./Load.ts"
import {
  allReady,
  clusterOf,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  startCluster,
  type TestNode
} from "./Processes.ts"

const logOf = ({ data }: TestNode) => `${data}/log`
const segmentsOf = (node: TestNode) =>
  readdirSync(logOf(node))
    .filter((name) => name.endsWith(".log"))
    .sort()
const firstSegment = (node: TestNode) => `${logOf(node)}/${segmentsOf(node)[0]!}`

/** Flips a bit at this share of what is written in the first segment. */
const flip = (node: TestNode, share: number) => {
  const path = firstSegment(node)
  const bytes = readFileSync(path)
  const at = Math.floor(share * bytes.findLastIndex((byte) => byte !== 0))
  bytes[at] = bytes[at]! ^ 4
  writeFileSync(path, bytes)
}

/** What is damaged, and what the node says of it. */
const damages: ReadonlyArray<{
  readonly name: string
  readonly damage: (node: TestNode) => void
  readonly says: RegExp
}> = [
  { name: "a bit in the middle of its log", damage: (node) => flip(node, 0.5), says: /The log is cut after entry \d+/ },
  { name: "a bit in the head of its log", damage: (node) => flip(node, 0), says: /All of the log is set aside/ },
  {
    name: "all files of its log",
    damage: (node) => {
      for (const name of segmentsOf(node)) rmSync(`${logOf(node)}/${name}`)
    },
    says: /no segment is left of a log that was there/
  }
]

const contentsOf = (node: TestNode) =>
  segmentsOf(node).map(
    (name) =>
      `${name} ${createHash("sha256")
        .update(readFileSync(`${logOf(node)}/${name}`))
        .digest("hex")}`
  )

describe("a node whose disk is damaged", () => {
  it.live(
    "heals from its peers under load, follower or leader, and no acknowledged write is lost",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const { written } = yield* underLoad({ nodes, clients: 6, prefix: "load", profile: () => "mixed" }, (written) =>
          Effect.gen(function* () {
            for (const [at, { damage, says }] of damages.entries()) {
              yield* moreWrites(written, 60)
              const leader = yield* leaderOf(nodes)
              const victim = at === 1 ? leader : nodes.find((node) => node !== leader)!
              yield* victim.stop("SIGKILL")
              damage(victim)
              const before = victim.output().length
              yield* victim.start
              yield* allReady(nodes)
              const said = victim.output().slice(before)
              assert.match(said, says)
              assert.match(said, /This node repairs its log from its peers/)
              assert.match(said, /The log is repaired: peers gave back all entries through \d+/)
              yield* eventually(
                "the note of the repair is gone",
                Effect.suspend(() => expectThat(!existsSync(`${victim.data}/repairing.json`), "it is gone"))
              )
              const { nodes: members, repairing } = yield* clusterOf(victim)
              assert.isNull(repairing)
              assert.isTrue(members.every((each: { readonly repairing: boolean }) => !each.repairing))
            }
            yield* moreWrites(written, 60)
          })
        )
        yield* verify(nodes, written)
        // All of it is on the disks: the nodes find it again.
        for (const node of nodes) yield* node.stop("SIGKILL")
        for (const node of nodes) yield* node.start
        yield* allReady(nodes)
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    180_000
  )

  it.live(
    "takes its leader's state where a bit of its only snapshot has flipped, and where all of its snapshots are gone",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const create = (name: string) =>
          Effect.map(nodes[0]!.request("POST", "/api/products", { body: { name, price: "1" } }), ({ body, status }) => {
            assert.strictEqual(status, 201)
            return String(body.id)
          })
        const ids = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, at) => `product ${at}`),
          create
        )
        // Each member takes a snapshot for the erasure and keeps no other; the log begins behind it.
        const erased = yield* nodes[0]!.request("POST", "/_admin/api/erasures", {
          body: { model: "Product", id: ids[0] }
        })
        assert.isBelow(erased.status, 300)
        yield* eventually(
          "all members have erased the record",
          Effect.flatMap(nodes[0]!.request("GET", `/_admin/api/erasures/Product/${ids[0]}`), ({ body }) =>
            expectThat(body.done === true, "they have")
          ),
          30_000
        )
        const victim = nodes.find(({ id }) => id !== nodes[0]!.id)!
        const folder = `${victim.data}/snapshots`
        const snapshots = () => readdirSync(folder).filter((name) => name.endsWith(".snapshot"))
        const harms = [
          (path: string) => {
            const bytes = readFileSync(path)
            const at = bytes.length >> 1
            bytes[at] = bytes[at]! ^ 4
            writeFileSync(path, bytes)
          },
          (path: string) => rmSync(path)
        ]
        for (const harm of harms) {
          yield* victim.stop("SIGKILL")
          assert.isNotEmpty(snapshots())
          for (const name of snapshots()) harm(`${folder}/${name}`)
          const before = victim.output().length
          yield* victim.start
          yield* allReady(nodes)
          assert.match(victim.output().slice(before), /The log is repaired: peers gave back all entries through \d+/)
          yield* create("after it")
          yield* equalHash(nodes)
        }
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "waits without a quorum of others, says so, and votes for nobody; it heals once they are back",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const { written } = yield* underLoad({ nodes, clients: 4, prefix: "load" }, (written) =>
          moreWrites(written, 40)
        )
        const [victim, other, third] = nodes as [TestNode, TestNode, TestNode]
        for (const node of nodes) yield* node.stop("SIGKILL")
        flip(victim, 0.5)
        yield* victim.start
        const before = other.output().length
        yield* other.start
        const readiness = eventually(
          "the node says that its log is damaged",
          Effect.flatMap(victim.request("GET", "/readyz?verbose"), ({ body, status }) =>
            expectThat(
              status === 503 &&
                body.checks?.some(({ name, ok }: { name: string; ok: boolean }) => name === "log" && !ok) === true,
              "it says so"
            )
          )
        )
        yield* readiness
        // It is connected to the damaged node, and longer without a leader than an election takes where a quorum votes.
        yield* eventually(
          "the other node finds no leader",
          Effect.suspend(() =>
            expectThat(
              /has known no leader for \d+ s\. This node is connected to 1 of the 2 other voters/.test(
                other.output().slice(before)
              ),
              "it says so"
            )
          ),
          30_000
        )
        assert.isNull((yield* clusterOf(other)).leader)
        assert.deepStrictEqual((yield* clusterOf(victim)).repairing?.throughIndex, null)
        yield* third.start
        yield* allReady(nodes)
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    120_000
  )

  for (const count of [1, 2]) {
    it.live(
      `refuses to start in a cluster of ${count}, names the damage and what to do, and changes nothing`,
      () =>
        Effect.gen(function* () {
          const nodes = yield* startCluster(Array.from({ length: count }, () => "node" as const))
          const [victim] = nodes as [TestNode]
          for (let at = 0; at < 20; at++) {
            yield* victim.request("POST", "/api/products", { body: { name: `product ${at}`, price: "1" } })
          }
          yield* victim.stop("SIGKILL")
          flip(victim, 0.7)
          const before = contentsOf(victim)
          yield* victim.start
          yield* eventually(
            "the node ends",
            Effect.suspend(() => expectThat(!victim.isRunning(), "it has ended"))
          )
          assert.strictEqual(yield* victim.stop("SIGTERM"), 1)
          assert.match(victim.output(), /"000000000001\.log" at offset \d+, entry \d+/)
          assert.match(victim.output(), /Peers cannot give it back: without this node, \d voters have no quorum/)
          assert.match(victim.output(), /lithair recover/)
          assert.deepStrictEqual(contentsOf(victim), before)
          assert.isFalse(existsSync(`${victim.data}/repairing.json`))
        }).pipe(Effect.scoped),
      60_000
    )
  }
})
