/**
 * Clients of a harmed cluster: they read two records, as new as it is possible or as old as it is, and create, change and
 * delete them, half of the time under keys, by which they try again, ask what became of it, or make sure that nothing will.
 */
import { Clock, Effect, Random, type Schema } from "effect"
import { system } from "../../src/Access/Caller.ts"
import { Member } from "../../src/Cluster/Member.ts"
import { LocalNode } from "../../src/Local/LocalNode.ts"
import { stateHash } from "../../src/Machine/Tables.ts"
import type { Descriptor } from "../../src/Model.ts"
import type { Consistency } from "../../src/Repository/Freshness.ts"
import * as Operations from "../../src/Repository/Operations.ts"
import { type Change, Records } from "../../src/Repository/Records.ts"
import { type History, TestCluster } from "../../src/Testing.ts"
import { anyOf, below } from "./HarmFaults.ts"
import type { Ledger, Told } from "./HarmLedger.ts"

export const keys = ["anvil", "bolt"]
const operationsCount = 60
const pauseMaxMs = 150
/** Attempts at one keyed write. */
const attemptsMaxCount = 4

type Ending = Pick<History.Event, "type" | "result">
const fail: Ending = { type: "fail" }
const info: Ending = { type: "info" }

/** The ending of one attempt. A final ending holds for the write, even if another attempt did it. */
type Attempted =
  | { readonly _tag: "Final"; readonly ending: Ending; readonly index: number }
  | { readonly _tag: "NotDone" }
  | { readonly _tag: "Unknown" }

/** A write, by its mark in the log. */
interface Write {
  readonly op: string
  readonly value?: Schema.Json
  readonly name: string
  readonly change: Change
}

const nowMs = Clock.currentTimeMillis

/** The state of the record according to a conflict. For a creation: that the record exists. */
const refusedBecause = (change: Change, currentVersion: number | null): Ending => {
  const isCreate = change._tag === "Put" && change.ifNoneMatch === true
  return { type: "fail", result: isCreate ? "exists" : { currentVersion } }
}

const attempt = (descriptor: Descriptor, change: Change) =>
  Records.use((records) => records.change(system, descriptor, change)).pipe(
    Effect.map(({ change, logIndex = 0, version }): Attempted => {
      const result = change === "deleted" ? "deleted" : { version }
      return { _tag: "Final", ending: { type: "ok", result }, index: logIndex }
    }),
    Effect.catchTags({
      Refused: ({ logIndex: index = 0, rejection }) => {
        if (rejection._tag === "NotFound") {
          return Effect.succeed<Attempted>({ _tag: "Final", ending: { type: "fail", result: "absent" }, index })
        }
        if (rejection._tag !== "VersionConflict") return Effect.die(new Error(`refused: ${rejection._tag}`))
        const ending = refusedBecause(change, rejection.currentVersion)
        return Effect.succeed<Attempted>({ _tag: "Final", ending, index })
      },
      NotDone: () => Effect.succeed<Attempted>({ _tag: "NotDone" }),
      UnknownOutcome: () => Effect.succeed<Attempted>({ _tag: "Unknown" })
    })
  )

/** Asks for the outcome of a key, or closes it. */
const settleByKey = (write: Write, key: string, how: "ask" | "close") =>
  Effect.gen(function* () {
    const operations = Operations.make({ local: yield* LocalNode, member: yield* Member })
    const { changes, status } = yield* operations[how](system, key)
    switch (status._tag) {
      case "Known": {
        const { outcome } = status
        const [changed] = changes
        if (outcome._tag === "Accepted") {
          const result = changed?.change === "deleted" ? "deleted" : { version: changed?.version ?? 0 }
          return { told: "done", ending: { type: "ok", result } as Ending } as const
        }
        const { rejection } = outcome
        const ending: Ending =
          rejection._tag === "VersionConflict"
            ? refusedBecause(write.change, rejection.currentVersion)
            : { type: "fail", result: "absent" }
        return { told: "refused", ending } as const
      }
      case "Closed":
        return { told: "closed", ending: fail } as const
      case "Expired":
        return yield* Effect.die(new Error("a key of this minute has expired"))
      case "Absent":
      case "Pending":
        return { told: "unknown", ending: info } as const
    }
  }).pipe(
    Effect.catchTags({
      NotDone: () => Effect.succeed({ told: "unknown", ending: info } as const),
      UnknownOutcome: () => Effect.succeed({ told: "unknown", ending: info } as const),
      Refused: Effect.die
    })
  )

/** One client's acts, each written down in the history and the ledger. */
export const makeClient = Effect.fnUntraced(function* (options: {
  readonly number: number
  readonly descriptor: Descriptor
  readonly ledger: Ledger
  readonly events: Array<History.Event>
  readonly nextProcess: () => number
}) {
  const { descriptor, events, ledger, nextProcess, number } = options
  const { advance, nodes, on } = yield* TestCluster
  const seenVersions = new Map<string, number>()
  let seenIndex = 0
  let process = nextProcess()

  const add = (key: string, op: string, event: Ending | { readonly type: "invoke"; readonly value?: Schema.Json }) => {
    events.push({ ...event, op, process, key, timeMs: events.length })
    if (event.type === "info") process = nextProcess()
  }

  /** What a node shows, and whether it may show that. */
  const shown = (node: string, key: string, consistency: Consistency) =>
    on(
      node,
      Effect.gen(function* () {
        const atMs = yield* nowMs
        const read = yield* Records.use((records) => records.get(system, descriptor, key, consistency))
        const { logIndex: index, staleMs, value } = read
        ledger.read(node, { index, atMs, staleMs })
        if (consistency._tag === "Local" && staleMs === undefined) throw new Error("a local read claims no age")
        if (consistency._tag === "Session" && index < consistency.minIndex)
          throw new Error(`${node} is older than asked`)
        const member = yield* Member
        ledger.state(node, { index: member.tables.index, hash: stateHash(member.tables) })
        return { index, value }
      })
    )

  const read = Effect.fnUntraced(function* (node: string, key: string) {
    add(key, "read", { type: "invoke" })
    const ending = yield* shown(node, key, { _tag: "Linearizable" }).pipe(
      Effect.map(({ index, value }): Ending => {
        seenIndex = Math.max(seenIndex, index)
        if (value !== undefined) seenVersions.set(key, value.version)
        const result = value === undefined ? null : { value: String(value.record.name), version: value.version }
        return { type: "ok", result }
      }),
      Effect.orElseSucceed(() => fail)
    )
    add(key, "read", ending)
    return ending.type === "ok"
  })

  const readOld = Effect.fnUntraced(function* (key: string) {
    const consistency: Consistency = (yield* Random.nextBoolean)
      ? { _tag: "Local" }
      : { _tag: "Session", minIndex: seenIndex }
    yield* Effect.ignore(shown(yield* anyOf(nodes), key, consistency))
  })

  /** One attempt; a node that goes meanwhile leaves it unknown. */
  const tryOn = (node: string, change: Change) =>
    on(node, Effect.zip(attempt(descriptor, change), nowMs)).pipe(
      Effect.map(([attempted, atMs]): Attempted => {
        if (attempted._tag !== "Final") return attempted
        if (attempted.ending.type === "ok") ledger.acknowledged(attempted.index, atMs)
        seenIndex = Math.max(seenIndex, attempted.index)
        return attempted
      }),
      Effect.catchTag("NodeDown", ({ reason }) =>
        Effect.succeed<Attempted>({ _tag: reason === "crashed" ? "Unknown" : "NotDone" })
      )
    )

  const write = Effect.fnUntraced(function* (node: string, key: string, asked: Write) {
    const { name, op, value } = asked
    add(key, op, { type: "invoke", ...(value === undefined ? {} : { value }) })
    // A deletion leaves no name in the log.
    const noteTold = (told: Told) => {
      if (value !== undefined) ledger.told(name, told)
    }
    const isKeyed = yield* Random.nextBoolean
    const change: Change = isKeyed ? { ...asked.change, key: name, fingerprint: name } : asked.change
    let mayBeDone = false
    let at = node
    for (let count = 0; count < (isKeyed ? attemptsMaxCount : 1); count++) {
      const attempted = yield* tryOn(at, change)
      if (attempted._tag === "Final") {
        noteTold(attempted.ending.type === "ok" ? "done" : "refused")
        add(key, op, attempted.ending)
        return attempted.ending.type
      }
      mayBeDone ||= attempted._tag === "Unknown"
      // What is certainly not done is left at that, at times: the log must hold nothing of it then.
      if (!mayBeDone && (yield* Random.nextBoolean)) break
      at = yield* anyOf(nodes)
    }
    const gone = { told: "unknown", ending: info } as const
    const { ending, told } = !mayBeDone
      ? ({ told: "notDone", ending: fail } as const)
      : isKeyed
        ? yield* on(at, settleByKey(asked, name, (yield* Random.nextBoolean) ? "ask" : "close")).pipe(
            Effect.catchTag("NodeDown", () => Effect.succeed(gone))
          )
        : gone
    noteTold(told)
    add(key, op, ending)
    return ending.type
  })

  /** Mostly reads, and compare-and-set from the version that it saw last. */
  const act = Effect.fnUntraced(function* (count: number) {
    const id = yield* anyOf(keys)
    const name = `w${number}x${count}w`
    const kind = yield* below(100)
    const node = yield* anyOf(nodes)
    const put = { _tag: "Put", model: "Product", id, data: { name } } as const
    if (kind < 25) return yield* read(node, id)
    if (kind < 45) return yield* readOld(id)
    if (kind < 58) return yield* write(node, id, { op: "write", value: name, name, change: put })
    if (kind < 80) {
      const ifVersion = seenVersions.get(id) ?? 1
      const value = { ifVersion, value: name }
      return yield* write(node, id, { op: "cas", value, name, change: { ...put, ifMatch: [ifVersion] } })
    }
    if (kind < 93) {
      return yield* write(node, id, { op: "create", value: name, name, change: { ...put, ifNoneMatch: true } })
    }
    return yield* write(node, id, { op: "delete", name, change: { _tag: "Delete", model: "Product", id } })
  })

  const run = Effect.gen(function* () {
    for (let count = 0; count < operationsCount; count++) {
      yield* act(count)
      yield* advance(yield* below(pauseMaxMs))
    }
  })

  return { read, run, write }
})
