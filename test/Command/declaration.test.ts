import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option, Random, Schema } from "effect"
import { HttpClient } from "effect/http"
import { decodeError, statusOf, tagOf } from "../../src/Command/Declaration.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import { Account, Broke, probe } from "./Bank.ts"

class Lost extends Schema.TaggedError<Lost>()("Lost", { at: Schema.Date }) {}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const typed = <T extends true>(..._facts: ReadonlyArray<T>): void => {}

const payload = Schema.Struct({ id: Schema.String })
const find = Command.make("find", { payload, success: Account, error: [Lost] })

describe("a declaration", () => {
  it("is refused where a path or a problem could not carry it", () => {
    const nothing = { payload, success: Schema.Void }
    for (const name of ["", "Find", "a/b", "a b", "_a", "1", "ä", "a".repeat(65)]) {
      assert.throws(() => Command.make(name, nothing), /must have a name/)
    }
    class Found extends Schema.TaggedError<Found>()("Found", {}, { httpApiStatus: 200 }) {}
    class Titled extends Schema.TaggedError<Titled>()("Titled", { title: Schema.String }) {}
    const Again = class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}
    assert.throws(() => Command.make("a", { ...nothing, error: [Found] }), /status from 400 to 499/)
    // @ts-expect-error every problem has a title
    assert.throws(() => Command.make("a", { ...nothing, error: [Titled] }), /"title"/)
    assert.throws(() => Command.make("a", { ...nothing, error: [Lost, Again] }), /two errors of one tag/)
    class Lower extends Schema.TaggedError<Lower>()("lost", { where: Schema.String }) {}
    assert.throws(() => Command.make("a", { ...nothing, error: [Lost, Lower] }), /two errors of one tag/)
  })

  it("says of an error its tag and status, and reads it back; another version of it is none", () => {
    assert.deepStrictEqual([tagOf(Broke), statusOf(Broke), tagOf(Lost), statusOf(Lost)], ["Broke", 402, "Lost", 409])
    const errors = [Broke, Lost]
    const lost = Option.getOrUndefined(decodeError(errors, { _tag: "Lost", ...{ at: "2026-01-02T00:00:00.000Z" } }))
    assert.instanceOf(lost, Lost)
    assert.isTrue(Option.isNone(decodeError(errors, { _tag: "Lost" })))
    assert.isTrue(Option.isNone(decodeError(errors, { _tag: "Other" })))
  })
})

/** The files that are loaded with this one, and what else they import. */
const loadedWith = (file: string, loaded: Set<string> = new Set()): Set<string> => {
  if (loaded.has(file)) return loaded
  loaded.add(file)
  if (!file.endsWith(".ts")) return loaded
  // An example in a comment is none of the file's imports, and a type is not loaded.
  const text = readFileSync(file, "utf8").replaceAll(/^\s*\*.*$/gm, "")
  for (const [, from = ""] of text.matchAll(/^(?:import|export) (?!type )[^"]*? from "([^"]+)"/gm)) {
    loadedWith(from.startsWith(".") ? join(dirname(file), from) : from, loaded)
  }
  return loaded
}

describe("lithair/Command", () => {
  it("is for browsers too: it loads Model and Effect, nothing of the machine, and no module of a runtime", () => {
    const source = fileURLToPath(new URL("../../src", import.meta.url))
    const loaded = [...loadedWith(join(source, "Command.ts"))].map((file) => file.replace(`${source}/`, ""))
    assert.includeMembers(loaded, [
      "Command/Declaration.ts",
      "Command/Handler.ts",
      "Command/Transaction.ts",
      "effect/Schema"
    ])
    const others = loaded.filter((file) => !/^(Command\.ts|Access\/|Command\/|Model|Invariant\.ts|effect\/)/.test(file))
    assert.deepStrictEqual(others, [])
  })
})

describe("the types", () => {
  const transaction = Command.Transaction

  it("of a handler take its payload and allow its success, its errors and those of the transaction, and nothing else", () => {
    const layer = Command.layer(
      find,
      Effect.fnUntraced(function* ({ id }) {
        typed<Equal<typeof id, string>>(true)
        const row = yield* (yield* transaction).get(Account, id)
        typed<Equal<typeof row, Account>>(true)
        if (row.isEmpty) return yield* new Lost({ at: new Date(0) })
        return row
      })
    )
    typed<Equal<typeof layer, Layer.Layer<Command.Handler<"find">>>>(true)
    // @ts-expect-error it declares no such error
    Command.layer(find, () => Effect.fail(new Broke({ missing: 1 })))
    // @ts-expect-error it declares another success
    Command.layer(find, () => Effect.succeed("found"))
    // @ts-expect-error a handler does no I/O: it can require nothing but the transaction
    Command.layer(find, () => Effect.andThen(HttpClient.get("/"), Effect.fail(new Lost({ at: new Date(0) }))))
    // @ts-expect-error its payload has no such field
    Command.layer(find, ({ name }) => Effect.fail(new Lost({ at: new Date(name) })))
    // Time and randomness are not required, and are the transaction's.
    Command.layer(find, () => Effect.andThen(Random.next, Effect.fail(new Lost({ at: new Date(0) }))))
  })

  it("of a transaction know the model's rows, and no local field", () => {
    const program = Effect.gen(function* () {
      const { create, list, patch, put } = yield* transaction
      yield* create(Account, { owner: "ada", balance: 1 })
      yield* put(Account, { id: "a", owner: "ada", balance: 1 })
      yield* patch(Account, "a", { iban: null })
      yield* list(Account, { where: { owner: "ada" }, limit: 1 })
      // @ts-expect-error a local field is not the cluster's
      yield* create(Account, { owner: "ada", balance: 1, note: "mine" })
      // @ts-expect-error a record needs its fields
      yield* create(Account, { owner: "ada" })
      // @ts-expect-error a whole record has its id
      yield* put(Account, { owner: "ada", balance: 1 })
      // @ts-expect-error a field that must be there is not removed
      yield* patch(Account, "a", { owner: null })
      // @ts-expect-error there is no such field
      yield* list(Account, { where: { colour: "red" }, limit: 1 })
    })
    typed<Equal<Effect.Services<typeof program>, Command.Transaction>>(true)
    typed<Equal<Effect.Error<typeof program>, Command.NotFound | Command.OperationRefused>>(true)
  })

  it("of a node ask for the handler of each of its commands", () => {
    const node = Lithair.layerHttp({ models: [Account], commands: [find, probe] })
    const bare = Lithair.layerHttp({ models: [Account] })
    type Handlers = Exclude<Layer.Services<typeof node>, Layer.Services<typeof bare>>
    typed<Equal<Handlers, Command.Handler<"find"> | Command.Handler<"probe">>>(true)
  })
})
