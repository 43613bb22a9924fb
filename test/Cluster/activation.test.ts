import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Activation from "../../src/Cluster/Activation.ts"
import type { Node } from "../../src/Cluster/OrdersHere.ts"
import type { Command } from "../../src/Machine/Command.ts"
import { holdsForCopies } from "../../src/Machine/CommandResult.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Rows from "../../src/Machine/Rows.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { configurationOf } from "../Raft/core/Cores.ts"

/** A model in version 2, which requires a title. */
const modelOf = (name: string, onCheck: () => void = () => {}): Model.Descriptor => {
  const Second = Model.Class<object>(name)(
    { id: Model.id(Schema.String), title: Model.replicate(Schema.String) },
    { version: 2, lift: Model.from(1, { id: Schema.String, title: Schema.String }).to(2) }
  )
  const descriptor = Model.describe(Second)
  const recordWhole: typeof descriptor.read.recordWhole = (stored) => {
    onCheck()
    return descriptor.read.recordWhole(stored)
  }
  return { ...descriptor, read: { ...descriptor.read, recordWhole } }
}

/** Tables of these models with version 1 active. */
const tablesOf = (models: ReadonlyArray<Model.Descriptor>) => {
  const tables = Tables.make(models)
  for (const table of tables.byModel.values()) table.modelVersion = 1
  return tables
}

const put = (tables: Tables.Tables, model: string, data: Model.EncodedRecord) => {
  const table = tables.byModel.get(model)!
  const row = { version: 1, createdIndex: 1, index: 1, modelVersion: 1, data }
  Rows.put(table, String(data.id), row, table.rows.get(String(data.id)))
}

/** The activation of a leader, over a node that does at once what is submitted. */
const leading = (options: {
  readonly members: readonly [string, ...ReadonlyArray<string>]
  readonly models: ReadonlyArray<Model.Descriptor>
  readonly tables: Tables.Tables
  readonly formats?: Format.Formats
  readonly nowMs?: () => number
  readonly dropped?: ReadonlyArray<string>
}) => {
  const submitted: Array<Command> = []
  const node = {
    core: { configuration: configurationOf([...options.members]) },
    submit: (command: Command, _timeoutMs: number, settle: (exit: Exit.Exit<unknown>) => void) => {
      submitted.push(command)
      if (command._tag === "RaiseFormat") options.tables.format = command.format
      if (command._tag === "Activate") options.tables.byModel.get(command.model)!.modelVersion = command.version
      settle(Exit.succeed({ index: 1, result: { _tag: "Accepted", answer: { timeMs: 0, operations: [] } } }))
      return () => {}
    }
  }
  const activation = Activation.make({
    nodeId: "a",
    models: options.models,
    dropped: options.dropped ?? [],
    formats: options.formats ?? { newest: 1, begins: 1 },
    tables: () => options.tables,
    node: () => node as unknown as Node,
    leader: () => "a",
    send: () => Effect.void,
    nowMs: options.nowMs ?? (() => 0)
  })
  return { activation, submitted }
}

describe("the activation of a model's version", () => {
  it.effect("tells once for each model which members it waits for", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      const models = [modelOf("One"), modelOf("Two")]
      const { activation } = leading({ members: ["a", "b"], models, tables: tablesOf(models) })
      yield* Effect.forkScoped(Effect.provide(activation.follow, logger))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        lines,
        ["One", "Two"].map((name) => `Version 2 of ${name} waits for b: until then it is not written`)
      )
    })
  )

  it.effect("checks records that do not fit once, and again after a change", () =>
    Effect.gen(function* () {
      let checkedCount = 0
      const model = modelOf("One", () => {
        checkedCount += 1
      })
      const tables = tablesOf([model])
      for (let at = 0; at < 100; at++) put(tables, "One", { id: `${at}` })
      const { activation, submitted } = leading({ members: ["a"], models: [model], tables })
      yield* Effect.forkScoped(activation.follow)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(checkedCount, 100)
      const table = tables.byModel.get("One")!
      for (let at = 0; at < 100; at++) put(tables, "One", { id: `${at}`, title: "t" })
      table.changedIndex = 200
      yield* TestClock.adjust("1 second")
      assert.strictEqual(checkedCount, 200)
      assert.lengthOf(submitted, 1)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("happens once another model has the record that a reference names", () =>
    Effect.gen(function* () {
      let nowMs = 0
      const target = modelOf("Two")
      const model = { ...modelOf("One"), references: [{ field: "title", model: "Two", onDelete: "restrict" } as const] }
      const tables = tablesOf([model, target])
      put(tables, "One", { id: "x", title: "t" })
      tables.byModel.get("Two")!.modelVersion = 2
      const { activation, submitted } = leading({ members: ["a"], models: [model], tables, nowMs: () => nowMs })
      yield* Effect.forkScoped(activation.follow)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(submitted, [])
      put(tables, "Two", { id: "t", title: "" })
      nowMs += 60_000
      yield* TestClock.adjust("1 second")
      assert.lengthOf(submitted, 1)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("may do without a member, and the end of a model may not: its records go for good", () =>
    Effect.gen(function* () {
      const model = modelOf("One")
      const tables = tablesOf([model, modelOf("Old")])
      tables.format = Format.lifting
      const { activation, submitted } = leading({ members: ["a", "b"], models: [model], tables, dropped: ["Old"] })
      const order = { _tag: "ActivateWithout", admitted: "secret", without: ["b"] } as const
      assert.deepStrictEqual(yield* activation.activateWithout(order), { _tag: "Done" })
      yield* Effect.forkScoped(activation.follow)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        submitted.map(({ _tag }) => _tag),
        ["Activate"]
      )
      assert.deepInclude(yield* activation.activateWithout(order), { reason: "nothingPending" })
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("does not happen if a member fell silent during the check: it may have gone back", () =>
    Effect.gen(function* () {
      let nowMs = 0
      const model = modelOf("One", () => {
        nowMs += 6_000
      })
      const tables = tablesOf([model])
      put(tables, "One", { id: "x", title: "t" })
      const { activation, submitted } = leading({ members: ["a", "b"], models: [model], tables, nowMs: () => nowMs })
      const announce = () => activation.announced({ _tag: "Announce", nodeId: "b", models: { One: 2 } })
      announce()
      yield* Effect.forkScoped(activation.follow)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(submitted, [])
    }).pipe(Effect.provide(Logger.layer([])))
  )
})

describe("the activation of a format", () => {
  const formats = { newest: 3, begins: 3 }
  const announce = (nodeId: string, format: number) =>
    ({ _tag: "Announce", nodeId, models: { [Format.announcedAs]: format } }) as const
  const raised = (format: number) => ({ _tag: "RaiseFormat", format }) as const

  it.effect("raises it to the newest that every member knows, learners among them", () =>
    Effect.gen(function* () {
      const tables = { ...Tables.make([]), index: 1 }
      const { activation, submitted } = leading({ members: ["a", "b", "c"], models: [], tables, formats })
      yield* Effect.forkScoped(activation.follow)
      const heard = (format: number) =>
        Effect.gen(function* () {
          activation.announced(announce("b", 3))
          activation.announced(announce("c", format))
          yield* TestClock.adjust("1 second")
        })
      activation.announced(announce("b", 3))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(submitted, [], "a member that says nothing has a release without formats")
      yield* heard(1)
      assert.deepStrictEqual(submitted, [])
      yield* heard(2)
      yield* heard(3)
      yield* heard(3)
      assert.deepStrictEqual(submitted, [raised(2), raised(3)])
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("says nothing of a log without an entry, which begins in the format of its first leader", () =>
    Effect.gen(function* () {
      const { activation, submitted } = leading({ members: ["a"], models: [], tables: Tables.make([]), formats })
      yield* Effect.forkScoped(activation.follow)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(submitted, [])
    })
  )
})

it("a refusal that only a later release knows covers no other copy of a request", () => {
  assert.isFalse(holdsForCopies({ _tag: "Rejected", rejection: { _tag: "OfALaterRelease" } as never }))
})
