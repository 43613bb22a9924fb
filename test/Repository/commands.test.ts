/** Commands on three nodes in memory: called typed through any of them, with handlers that are wrong, and of several releases. */

import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, type Result, Schedule, Schema } from "effect"
import { Account, InsufficientFunds, models, Transaction, transfer } from "../../examples/models.ts"
import { transferLayer } from "../../examples/transfer.ts"
import { system } from "../../src/Access/Caller.ts"
import { makeSession } from "../../src/Client/near/Reading.ts"
import * as Running from "../../src/Client/near/Running.ts"
import * as Member from "../../src/Cluster/Member.ts"
import { layer as layerMember } from "../../src/Cluster/makeMember.ts"
import * as Procedures from "../../src/Command/Procedures.ts"
import * as Command from "../../src/Command.ts"
import { layerMemory as layerDisk, makeMemoryDisk } from "../../src/EventStore/MemoryDirectory.ts"
import * as LocalNode from "../../src/Local/LocalNode.ts"
import { type Procedures as MachineProcedures, none } from "../../src/Machine/Procedure.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { Problem } from "../../src/Problem.ts"
import {
  cut,
  heal,
  layerMemory as layerNetwork,
  type MemoryNetwork,
  makeMemoryNetwork
} from "../../src/Raft/peers/MemoryNetwork.ts"
import * as Commands from "../../src/Repository/Commands.ts"

const ids = ["a", "b", "c"] as const
type NodeId = (typeof ids)[number]

const startNode = Effect.fnUntraced(function* (network: MemoryNetwork, nodeId: NodeId, procedures: MachineProcedures) {
  const peers = ids.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
  const self = { nodeId, address: nodeId, instanceId: nodeId, peers }
  const described = models.map(Model.describe)
  const logs = layerMember({ self, models: described, procedures }).pipe(
    Layer.provide(layerNetwork({ network, self })),
    Layer.provideMerge(LocalNode.layer({ models: described })),
    Layer.provide(layerDisk(makeMemoryDisk({ nodeId, instanceId: nodeId })))
  )
  const services = yield* Layer.build(Layer.provideMerge(Commands.layer, logs))
  const run = Running.make(system, Context.get(services, Commands.Commands), makeSession())
  return { member: Context.get(services, Member.Member), run }
})

/** Three nodes that have a leader; each has the code of a release of its own. */
const startNodes = Effect.fnUntraced(function* (proceduresOf: (nodeId: NodeId) => MachineProcedures) {
  const network = makeMemoryNetwork()
  const nodes = yield* Effect.forEach(ids, (id) => startNode(network, id, proceduresOf(id)))
  yield* until("there is a leader", () => nodes.every(({ member }) => member.leader() !== undefined))
  return { nodes, network }
})

type Node = Effect.Success<ReturnType<typeof startNode>>

const until = (what: string, holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`Never came true: ${what}`)))).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 1000 })
  )

const open = ({ member }: Node, balance: string) =>
  Effect.map(member.submit({ _tag: "Create", model: "Account", data: { owner: "Ada", balance } }), ({ result }) =>
    result._tag === "Accepted" ? (result.answer.operations[0]?.id ?? assert.fail()) : assert.fail()
  )

/** What a node shows once it is up to date. */
const rows = ({ member }: Node, model: string) =>
  Effect.map(member.readIndex, () =>
    Array.from(member.tables.byModel.get(model)?.rows.values() ?? [], ({ data }) => data)
  )

const balanceOf = (node: Node, id: string) =>
  Effect.map(rows(node, "Account"), (accounts) => accounts.find((each) => each.id === id)?.balance)

/** The kind of the problem that a call failed with. */
const kindOf = (done: Result.Result<unknown, unknown>) =>
  done._tag === "Failure" && done.failure instanceof Problem ? done.failure.kind : undefined

const equalHashes = (nodes: ReadonlyArray<Node>) =>
  until("state hashes are equal", () => new Set(nodes.map(({ member }) => Tables.stateHash(member.tables))).size === 1)

const transfers = Effect.provide(Procedures.make([transfer]), transferLayer)

describe("a command that a node's code runs", () => {
  it.live("gives on any node the typed success, or the typed error, of the leader's decision", () =>
    Effect.gen(function* () {
      const procedures = yield* transfers
      const { nodes } = yield* startNodes(() => procedures)
      const from = yield* open(nodes[0]!, "10")
      const to = yield* open(nodes[0]!, "0")
      for (const [at, node] of nodes.entries()) {
        const done: Transaction = yield* node.run(transfer, { from, to, amount: "2.00" })
        assert.instanceOf(done, Transaction)
        assert.deepStrictEqual([done.from, done.to, done.amount], [from, to, "2.00"])
        assert.strictEqual(yield* balanceOf(node, to), `${2 * (at + 1)}.00`)
        const broke = yield* Effect.flip(node.run(transfer, { from, to, amount: "50.00" }))
        assert.instanceOf(broke, InsufficientFunds)
        const nobody = yield* Effect.result(node.run(transfer, { from, to: crypto.randomUUID(), amount: "1.00" }))
        assert.strictEqual(kindOf(nobody), "not-found")
        const same = yield* Effect.result(node.run(transfer, { from, to: from, amount: "1.00" }))
        assert.strictEqual(kindOf(same), "invalid-request")
      }
      yield* equalHashes(nodes)
    }).pipe(Effect.scoped)
  )

  it.live("with a key is done once, whichever node is asked again; another payload is refused (C17)", () =>
    Effect.gen(function* () {
      const procedures = yield* transfers
      const { nodes } = yield* startNodes(() => procedures)
      const from = yield* open(nodes[0]!, "10")
      const to = yield* open(nodes[0]!, "0")
      const asked = { from, to, amount: "3.00" }
      const done = yield* Effect.forEach([...nodes, ...nodes], ({ run }) => run(transfer, asked, { key: "k" }), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(done.map(({ id }) => id)).size, 1)
      for (const node of nodes) {
        const other = yield* Effect.result(node.run(transfer, { ...asked, amount: "4.00" }, { key: "k" }))
        assert.strictEqual(kindOf(other), "key-reused")
        assert.strictEqual(yield* balanceOf(node, from), "7.00")
      }
    }).pipe(Effect.scoped)
  )

  it.live("tells a copy a success that is too large to be kept from the log (C17)", () => {
    const tell = Command.make("tell", { payload: Schema.Struct({}), success: Schema.String })
    return Effect.gen(function* () {
      const procedures = yield* Procedures.make([tell])
      const { nodes } = yield* startNodes(() => procedures)
      const told = yield* nodes[0]!.run(tell, {}, { key: "k" })
      assert.isAbove(told.length, 4096)
      for (const { run } of nodes) assert.strictEqual(yield* run(tell, {}, { key: "k" }), told)
      assert.strictEqual((yield* rows(nodes[0]!, "Account")).length, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide(Command.layer(tell, () => Effect.map(opening("Ada"), ({ id }) => `${id} ${"!".repeat(5000)}`)))
    )
  })

  it.live("in a minority answers neither a success nor a refusal: both rest on what only a quorum confirms (D2)", () =>
    Effect.gen(function* () {
      const procedures = yield* transfers
      const { network, nodes } = yield* startNodes(() => procedures)
      const from = yield* open(nodes[0]!, "10")
      const to = yield* open(nodes[0]!, "0")
      const leader = nodes.find(({ member }) => member.leader() === member.self.nodeId) ?? assert.fail()
      const others = nodes.filter((node) => node !== leader)
      for (const { member } of others) cut(network, [leader.member.self.nodeId, member.self.nodeId])
      const asked = ["1.00", "50.00"].map((amount) => ({ from, to, amount }))
      const failures = yield* Effect.forEach(asked, (each) => Effect.flip(leader.run(transfer, each)), {
        concurrency: "unbounded"
      })
      for (const { _tag } of failures) assert.include(["Problem", "UnknownOutcome"], _tag)
      yield* until("another leads", () => others.every(({ member }) => member.leader() !== leader.member.self.nodeId))
      yield* others[0]!.run(transfer, { from, to, amount: "10.00" })
      for (const { member } of others) heal(network, [leader.member.self.nodeId, member.self.nodeId])
      yield* until("it follows", () => leader.member.leader() === others[0]!.member.leader())
      const broke = yield* Effect.flip(leader.run(transfer, { from, to, amount: "0.01" }))
      assert.instanceOf(broke, InsufficientFunds)
      yield* equalHashes(nodes)
    }).pipe(Effect.scoped)
  )

  it.live("a leader that is too old for a command hands leadership on, until a node that knows it leads (D2)", () =>
    Effect.gen(function* () {
      const newer = yield* Effect.provide(
        Procedures.make([works]),
        Command.layer(works, () => Effect.asVoid(opening("new")))
      )
      const { nodes } = yield* startNodes((id) => (id === "b" ? newer : none))
      const leader = () => nodes[0]!.member.leader()
      if (leader() !== "c")
        yield* nodes[0]!.member.administer({ _tag: "TransferLeadership", admitted: "this-host", to: "c" })
      yield* until("c leads", () => nodes.every(({ member }) => member.leader() === "c"))
      const refused = yield* Effect.result(nodes[0]!.run(works, {}))
      assert.strictEqual(kindOf(refused), "upgrade-required")
      yield* until("another leads", () => nodes.every(({ member }) => member.leader() === "a"))
      yield* nodes[0]!.run(works, {}).pipe(Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 }))
      assert.strictEqual(leader(), "b")
    }).pipe(Effect.scoped)
  )
})

const nothing = { payload: Schema.Struct({}), success: Schema.Void }
const throws = Command.make("throws", nothing)
const waits = Command.make("waits", nothing)
const works = Command.make("works", nothing)

/** An account, which a handler makes before it goes wrong. */
const opening = (owner: string) =>
  Effect.flatMap(Command.Transaction, ({ create }) => create(Account, { owner, balance: "1.00" }))

describe("a handler that is wrong", () => {
  it.live("costs its own command, asked on any node, and nothing else; the leader's log tells its name", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    const handlers = Layer.mergeAll(
      Command.layer(throws, () =>
        Effect.map(opening("never"), () => {
          throw new Error("oops")
        })
      ),
      Command.layer(waits, () =>
        Effect.andThen(
          opening("never"),
          Effect.promise(() => new Promise<void>(() => {}))
        )
      ),
      Command.layer(works, () => Effect.asVoid(opening("Ada")))
    )
    return Effect.gen(function* () {
      const procedures = yield* Procedures.make([throws, waits, works])
      const { nodes } = yield* startNodes(() => procedures)
      const leader = nodes[0]!.member.leader()
      for (const { run } of nodes) {
        for (const wrong of [throws, waits]) {
          const failed = yield* Effect.result(run(wrong, {}))
          assert.strictEqual(kindOf(failed), "internal")
        }
        assert.isUndefined(yield* run(works, {}))
      }
      for (const node of nodes) {
        assert.strictEqual(node.member.leader(), leader)
        assert.deepStrictEqual(
          (yield* rows(node, "Account")).map(({ owner }) => owner),
          ["Ada", "Ada", "Ada"]
        )
      }
      for (const { name } of [throws, waits]) {
        assert.strictEqual(logged.filter((line) => line.includes(`command ${name} failed`)).length, 3)
      }
    }).pipe(Effect.scoped, Effect.provide(handlers), Effect.provide(Logger.layer([logger])))
  })
})

describe("a rolling upgrade", () => {
  it.live(
    "nodes whose handlers differ never diverge: only the leader's runs, and only its events are replicated (D2)",
    () =>
      Effect.gen(function* () {
        /** The same command in each release: an account of that release's name. */
        const release = (owner: string) =>
          Effect.provide(
            Procedures.make([works]),
            Command.layer(works, () => Effect.asVoid(opening(owner)))
          )
        const releases = { a: yield* release("old"), b: yield* release("new"), c: none }
        const { nodes } = yield* startNodes((id) => releases[id])
        const lead = (to: NodeId) =>
          Effect.gen(function* () {
            if (nodes[0]!.member.leader() !== to)
              yield* nodes[0]!.member.administer({ _tag: "TransferLeadership", admitted: "this-host", to })
            yield* until(`${to} leads`, () => nodes.every(({ member }) => member.leader() === to))
          })
        const made: Array<string> = []
        const leaders = [
          ["a", "old"],
          ["b", "new"],
          ["c", undefined],
          ["a", "old"]
        ] as const
        for (const [leader, owner] of leaders) {
          yield* lead(leader)
          // One that does not know it hands on as soon as it was asked.
          for (const { run } of owner === undefined ? nodes.slice(0, 1) : nodes) {
            const done = yield* Effect.result(run(works, {}))
            // A newer node forwards what an older leader does not know: it says so, and nothing is done.
            assert.strictEqual(kindOf(done), owner === undefined ? "upgrade-required" : undefined)
            if (owner !== undefined) made.push(owner)
          }
        }
        for (const node of nodes) {
          assert.sameMembers(
            (yield* rows(node, "Account")).map(({ owner }) => String(owner)),
            made
          )
        }
        yield* equalHashes(nodes)
      }).pipe(Effect.scoped)
  )
})
