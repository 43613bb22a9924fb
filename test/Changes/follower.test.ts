/** A follower under rules, step by step: it has what it may read, or starts over. docs/access.md. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Result, Schema } from "effect"
import * as Access from "../../src/Access.ts"
import type { Entry } from "../../src/Changes/Change.ts"
import * as Follower from "../../src/Changes/Follower.ts"
import type { Log } from "../../src/Changes/Log.ts"
import { groupOf } from "../../src/Changes/Position.ts"
import { type View, viewOf } from "../../src/Changes/View.ts"
import type { Create, Transact } from "../../src/Machine/Command.ts"
import type { Event } from "../../src/Machine/Event.ts"
import type { Tables } from "../../src/Machine/Tables.ts"
import type { Transaction } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { problem } from "../../src/Problem.ts"
import { leader } from "../Machine/Store.ts"

class Page extends Model.Class<Page>("Page")(
  { id: Model.id(Schema.String), team: Model.replicate(Schema.String) },
  {
    indexes: ["team"],
    access: Access.rules(({ row, who }) => ({
      read: row.team.in(who.claims("teams")),
      create: Access.nobody,
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}
const descriptor = Model.describe(Page)

/** Everyone reads it. */
class Sign extends Model.Class<Sign>("Sign")(
  { id: Model.id(Schema.String), text: Model.replicate(Schema.String) },
  {
    access: Access.rules(() => ({
      read: Access.anyone,
      create: Access.nobody,
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}
const policy = { sets: new Map(), commands: new Map(), projections: new Map() }
const gone = problem("changes-gone", "Start over", { oldestIndex: 1, restart: "/again" })

/** More records of the green team than one step tells. */
const ids = Array.from({ length: 200 }, (_, at) => `p${String(at).padStart(3, "0")}`)

const logOf = (tables: Tables, index: number, entries: ReadonlyArray<Entry> = []): Log => ({
  instance: undefined,
  tables: () => tables,
  oldestIndex: () => 1,
  appliedIndex: () => index,
  isPlace: () => true,
  applied: () => Effect.never,
  read: () => Effect.succeed(entries),
  findFormer: () => Effect.succeed({ _tag: "Missing" }),
  freshen: Effect.void,
  staleMs: () => undefined
})

const viewOver = (tables: Tables, models: ReadonlyArray<Model.Descriptor>, teams: ReadonlyArray<string>): View =>
  Result.getOrThrow(
    viewOf({ policy, tables, nowMs: 0 }, { _tag: "Principal", id: "u", roles: [], claims: { teams } }, models)
  )

/** A follower of the red team in a log that holds green records. `may` says what it may read from the next step on. */
const follow = Effect.gen(function* () {
  const { machine, submit } = leader(undefined, [descriptor])
  const operations = ids.map((id) => ({ _tag: "Create", model: "Page", id, data: { id, team: "green" } }) as const)
  submit({ _tag: "Transact", operations } satisfies Transact)
  const { index } = machine.applied
  const log = logOf(machine.applied, index)
  const viewFor = (...teams: ReadonlyArray<string>): View => viewOver(machine.applied, [descriptor], teams)
  let view = viewFor("red")
  const follower = yield* Follower.make({
    log,
    group: groupOf([descriptor]),
    view,
    position: { index },
    isNewState: false,
    viewNow: () => Result.succeed(view),
    gone: () => gone,
    enterState: Effect.succeed(Effect.void)
  })
  const told: Array<string> = []
  const step = Effect.map(follower.step, ({ end, told: some }) => {
    told.push(...some.map(({ id }) => id))
    return end
  })
  const may = (...teams: ReadonlyArray<string>): void => {
    view = viewFor(...teams)
  }
  return { may, step, told }
})

it.effect("is told all that its new view shows", () =>
  Effect.gen(function* () {
    const { may, step, told } = yield* follow
    may("red", "green")
    while ((yield* step) !== "view");
    assert.deepStrictEqual(told, ids)
  })
)

it.effect("goes on if it may read more still by then", () =>
  Effect.gen(function* () {
    const { may, step, told } = yield* follow
    may("red", "green")
    while (told.length === 0) yield* step
    may("red", "green", "blue")
    while ((yield* step) !== "view");
    assert.deepStrictEqual(told, ids)
  })
)

it.effect("starts over if it could not be told a part of its new view, also if it may read that again", () =>
  Effect.gen(function* () {
    const { may, step, told } = yield* follow
    may("red", "green")
    while (told.length === 0) yield* step
    const toldBefore = told.length
    // It leaves the team for a moment. What is not told now would be missing for good once it is back.
    may("red")
    const exit = yield* Effect.exit(step)
    may("red", "green")
    assert.isTrue(Exit.isFailure(exit))
    assert.lengthOf(told, toldBefore)
  })
)

it.effect("between two views is told only what both show, and what it has and may not keep", () =>
  Effect.gen(function* () {
    const { machine, submit } = leader(undefined, [descriptor])
    const create = (id: string) =>
      submit({ _tag: "Create", model: "Page", id, data: { id, team: "green" } } satisfies Create)
    create("old")
    const { index } = machine.applied
    create("new")
    const created: Event = {
      type: "created",
      model: "Page",
      modelVersion: 1,
      id: "new",
      version: 1,
      previousIndex: 0,
      data: { id: "new", team: "green" }
    }
    const transaction: Transaction = {
      timeMs: 1,
      logAgeMs: 0,
      command: "X",
      events: [created],
      outcome: { _tag: "Accepted" }
    }
    let view = viewOver(machine.applied, [descriptor], ["green"])
    const follower = yield* Follower.make({
      log: logOf(machine.applied, index + 1, [{ index: index + 1, transaction }]),
      group: groupOf([descriptor]),
      view,
      position: { index, view: view.name! },
      isNewState: false,
      viewNow: () => Result.succeed(view),
      gone: () => gone,
      enterState: Effect.succeed(Effect.void)
    })
    view = viewOver(machine.applied, [descriptor], ["red"])
    const told: Array<string> = []
    for (let end: string | undefined; end !== "view"; ) {
      const step = yield* follower.step
      told.push(...step.told.map(({ _tag, id }) => `${_tag} ${id}`))
      end = step.end
    }
    assert.deepStrictEqual(told, ["Left old"])
  })
)

it.effect("is told the rest of an entry, also if a record that it was told of has been erased since", () =>
  Effect.gen(function* () {
    const models = [descriptor, Model.describe(Sign)]
    const { machine } = leader(undefined, models)
    const created = (id: string): Event => ({
      type: "created",
      model: "Sign",
      modelVersion: 1,
      id,
      version: 1,
      previousIndex: 0,
      data: { id, text: "T" }
    })
    const erased: Event = { ...created("a"), data: {}, erased: true }
    const transaction: Transaction = {
      timeMs: 1,
      logAgeMs: 0,
      command: "X",
      events: [erased, created("b"), created("c")],
      outcome: { _tag: "Accepted" }
    }
    const view = viewOver(machine.applied, models, ["red"])
    const follower = yield* Follower.make({
      log: logOf(machine.applied, 5, [{ index: 5, transaction }]),
      group: groupOf(models),
      view,
      // It has been told of the first two.
      position: { index: 5, ordinal: 1, view: view.name! },
      isNewState: false,
      viewNow: () => Result.succeed(view),
      gone: () => gone,
      enterState: Effect.succeed(Effect.void)
    })
    const { told } = yield* follower.step
    assert.deepStrictEqual(
      told.map(({ id }) => id),
      ["c"]
    )
  })
)
