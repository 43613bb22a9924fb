/** The judge is judged: histories known to be good and bad, all orders tried by force, random ones and their mutations. */
import { assert, describe, it } from "@effect/vitest"
import type { Schema } from "effect"
import type { Event, Operation } from "../../src/Testing/History.ts"
import { check, type Verdict } from "../../src/Testing/Linearizability.ts"
import * as Register from "../../src/Testing/Register.ts"
import type { Model } from "../../src/Testing/SequentialModel.ts"
import * as VersionedRegister from "../../src/Testing/VersionedRegister.ts"
import { seeded } from "../Machine/Seeded.ts"
import { after, type Draw, generate, isLinearizableByForce, operationsOf, recorder } from "./Histories.ts"

const judge = <State>(model: Model<State>, events: ReadonlyArray<Event>): Verdict["_tag"] =>
  check(model, operationsOf(events))._tag

const judgeRegister = (write: (history: ReturnType<typeof recorder>) => void) => {
  const history = recorder()
  write(history)
  return judge(Register.model, history.events)
}

const judgeVersioned = (write: (history: ReturnType<typeof recorder>) => void) => {
  const history = recorder()
  write(history)
  return judge(VersionedRegister.model, history.events)
}

/** An order of effects is a proof: each operation begins before any that is placed before it ended, and answers as told. */
const assertProves = <State>(
  model: Model<State>,
  operations: ReadonlyArray<Operation>,
  order: ReadonlyArray<Operation>
) => {
  let state: State | undefined = model.initial
  let latestBegin = -1
  for (const operation of order) {
    assert.isBelow(latestBegin, operation.returned?.at ?? Number.POSITIVE_INFINITY)
    latestBegin = Math.max(latestBegin, operation.invokedAt)
    state = after(model, state!, operation)
    assert.isDefined(state)
  }
  assert.strictEqual(new Set(order).size, order.length)
  const placed = new Set(order)
  assert.isTrue(operations.every((operation) => operation.returned === undefined || placed.has(operation)))
}

const drawRegister: Draw<Schema.Json> = ({ below, state, unique }) => {
  const draw = below(10)
  if (draw < 4) return { op: "read", value: null }
  if (draw < 6) return { op: "write", value: `v${unique}` }
  if (draw < 8) return { op: "cas", value: [below(3) > 0 ? state : `v${below(unique + 1)}`, `v${unique}`] }
  return draw < 9 ? { op: "create", value: `v${unique}` } : { op: "delete", value: null }
}

const drawVersioned: Draw<VersionedRegister.State> = ({ below, state, unique }) => {
  const draw = below(10)
  if (draw < 4) return { op: "read", value: null }
  if (draw < 6) return { op: "write", value: `v${unique}` }
  const ifVersion = Math.max(0, state.version - below(2))
  if (draw < 8) return { op: "cas", value: { ifVersion, value: `v${unique}` } }
  return draw < 9 ? { op: "create", value: `v${unique}` } : { op: "delete", value: null }
}

describe("known histories", () => {
  it("an empty history, and one of reads of nothing, are linearizable", () => {
    assert.strictEqual(
      judgeRegister(() => {}),
      "Linearizable"
    )
    assert.strictEqual(
      judgeRegister(({ whole }) => whole("read", undefined, "ok", null)),
      "Linearizable"
    )
  })

  it("reads during a write see the old value and then the new one, never the other way (Herlihy & Wing §2)", () => {
    const overlapping = (...seen: ReadonlyArray<Schema.Json>) =>
      judgeRegister(({ begin, whole }) => {
        const end = begin("write", 1)
        for (const value of seen) whole("read", undefined, "ok", value)
        end("ok")
      })
    assert.strictEqual(overlapping(null, 1), "Linearizable")
    assert.strictEqual(overlapping(1, null), "NotLinearizable")
  })

  it("a stale read is caught", () => {
    const verdict = judgeRegister(({ whole }) => {
      whole("write", 1, "ok")
      whole("write", 2, "ok")
      whole("read", undefined, "ok", 1)
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("a read of the future is caught", () => {
    const verdict = judgeRegister(({ whole }) => {
      whole("read", undefined, "ok", 1)
      whole("write", 1, "ok")
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("a lost update is caught: two changes from one version", () => {
    const verdict = judgeVersioned(({ begin, whole }) => {
      whole("create", "a", "ok", { version: 1 })
      const one = begin("cas", { ifVersion: 1, value: "b" })
      const two = begin("cas", { ifVersion: 1, value: "c" })
      one("ok", { version: 2 })
      two("ok", { version: 2 })
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("a write that took effect twice is caught: by its version, or by what it undid", () => {
    const byVersion = judgeVersioned(({ whole }) => {
      whole("write", "a", "ok", { version: 1 })
      whole("read", undefined, "ok", { value: "a", version: 2 })
    })
    const byWhatItUndid = judgeRegister(({ whole }) => {
      whole("write", "a", "ok")
      whole("write", "b", "ok")
      whole("read", undefined, "ok", "b")
      whole("read", undefined, "ok", "a")
    })
    assert.deepStrictEqual([byVersion, byWhatItUndid], ["NotLinearizable", "NotLinearizable"])
  })

  it("a split brain is caught: two sides that each see only their own writes", () => {
    const verdict = judgeRegister(({ begin, whole }) => {
      const left = begin("write", "left")
      const right = begin("write", "right")
      left("ok")
      right("ok")
      whole("read", undefined, "ok", "left")
      whole("read", undefined, "ok", "right")
      whole("read", undefined, "ok", "left")
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("a definite failure that took effect is caught, also long after", () => {
    const history = (seen: Schema.Json) =>
      judgeRegister(({ whole }) => {
        whole("write", 1, "ok")
        whole("write", 2, "fail")
        whole("read", undefined, "ok", 1)
        whole("read", undefined, "ok", seen)
      })
    assert.deepStrictEqual([history(1), history(2)], ["Linearizable", "NotLinearizable"])
  })

  it("an acknowledged write that is gone is caught", () => {
    const verdict = judgeVersioned(({ whole }) => {
      whole("create", "a", "ok", { version: 1 })
      whole("read", undefined, "ok", null)
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("an unknown outcome takes effect later or never, and at most once", () => {
    const history = (...seen: ReadonlyArray<Schema.Json>) =>
      judgeRegister(({ whole }) => {
        whole("write", 1, "ok")
        whole("write", 2, "info")
        for (const value of seen) whole("read", undefined, "ok", value)
        whole("write", 3, "ok")
        for (const value of seen) whole("read", undefined, "ok", value === 1 ? 3 : value)
      })
    assert.strictEqual(history(1), "Linearizable")
    assert.strictEqual(history(1, 1), "Linearizable")
    assert.strictEqual(history(2), "NotLinearizable")
    assert.strictEqual(history(1, 2, 1), "NotLinearizable")
    const late = judgeRegister(({ begin, whole }) => {
      begin("write", 2)
      whole("write", 1, "ok")
      whole("read", undefined, "ok", 1)
      whole("read", undefined, "ok", 2)
    })
    assert.strictEqual(late, "Linearizable")
  })

  it("an unknown outcome never takes effect before it began", () => {
    const verdict = judgeRegister(({ whole }) => {
      whole("read", undefined, "ok", 2)
      whole("write", 2, "info")
    })
    assert.strictEqual(verdict, "NotLinearizable")
  })

  it("a refusal must have had its reason at some moment", () => {
    const history = (currentVersion: number) =>
      judgeVersioned(({ whole }) => {
        whole("create", "a", "ok", { version: 1 })
        whole("write", "b", "ok", { version: 2 })
        whole("cas", { ifVersion: 1, value: "c" }, "fail", { currentVersion })
      })
    assert.deepStrictEqual([history(2), history(1)], ["Linearizable", "NotLinearizable"])
  })

  it("the version goes on when a record is created again", () => {
    const history = (version: number) =>
      judgeVersioned(({ whole }) => {
        whole("create", "a", "ok", { version: 1 })
        whole("delete", undefined, "ok", "deleted")
        whole("create", "b", "ok", { version })
      })
    assert.deepStrictEqual([history(3), history(1), history(2)], ["Linearizable", "NotLinearizable", "NotLinearizable"])
  })

  it("keys are judged one by one, and the verdict names the bad key", () => {
    const { events, whole } = recorder()
    whole("write", 1, "ok", undefined, "good")
    whole("write", 1, "ok", undefined, "bad")
    whole("read", undefined, "ok", 1, "good")
    whole("read", undefined, "ok", null, "bad")
    const verdict = check(Register.model, operationsOf(events))
    assert.strictEqual(verdict._tag === "NotLinearizable" && verdict.key, "bad")
    assert.match(verdict._tag === "NotLinearizable" ? verdict.reason : "", /"read null" of process 3 \(line 8\)/)
  })
})

describe("random histories", () => {
  it("of a few operations get the verdict of trying every order, for any answers", () => {
    const counts = { Linearizable: 0, NotLinearizable: 0, Undecided: 0 }
    for (let seed = 1; seed <= 3000; seed++) {
      const { below } = seeded(seed)
      const generated = generate({
        seed,
        model: VersionedRegister.model,
        draw: drawVersioned,
        operationsCount: 3 + below(5),
        clientsCount: 3,
        unknownPerMille: 150
      })
      // Answers of other operations: some histories stay linearizable, most do not.
      const results = generated.flatMap(({ op, result, type }) => (result === undefined ? [] : [{ op, result, type }]))
      const events = generated.map((event) => {
        const others = results.filter(({ op, type }) => op === event.op && type === event.type)
        return event.type !== "invoke" && others.length > 0 && below(2) === 0
          ? { ...event, result: others[below(others.length)]!.result }
          : event
      })
      const operations = operationsOf(events)
      const verdict = check(VersionedRegister.model, operations)
      const expected = isLinearizableByForce(VersionedRegister.model, operations)
      assert.strictEqual(verdict._tag, expected ? "Linearizable" : "NotLinearizable", `seed ${seed}`)
      counts[verdict._tag]++
      const { rank: _, trace: __, ...unaided } = VersionedRegister.model
      assert.strictEqual(check(unaided, operations)._tag, verdict._tag, `seed ${seed}: rank and trace only save time`)
    }
    assert.isAbove(counts.Linearizable, 500)
    assert.isAbove(counts.NotLinearizable, 300)
  })

  it("of a real register are linearizable, and the order that is found proves it", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const options = { seed, operationsCount: 60, clientsCount: 1 + (seed % 6), unknownPerMille: (seed % 4) * 20 }
      const events = generate({ ...options, model: Register.model, draw: drawRegister })
      const operations = operationsOf(events)
      const verdict = check(Register.model, operations)
      assert.strictEqual(verdict._tag, "Linearizable", `seed ${seed}`)
      if (verdict._tag === "Linearizable") assertProves(Register.model, operations, verdict.orders.get("x") ?? [])
    }
  })

  it("of a real record are linearizable, and every mutation of them is caught", () => {
    const caught = { stale: 0, future: 0, twice: 0, undone: 0, gone: 0 }
    for (let seed = 1; seed <= 300; seed++) {
      const options = { seed, operationsCount: 120, clientsCount: 1 + (seed % 6), unknownPerMille: (seed % 4) * 10 }
      const events = generate({ ...options, model: VersionedRegister.model, draw: drawVersioned })
      const operations = operationsOf(events)
      const verdict = check(VersionedRegister.model, operations)
      assert.strictEqual(verdict._tag, "Linearizable", `seed ${seed}`)
      if (verdict._tag === "Linearizable")
        assertProves(VersionedRegister.model, operations, verdict.orders.get("x") ?? [])
      for (const { kind, mutated } of mutations(operations, seeded(seed).below)) {
        assert.strictEqual(check(VersionedRegister.model, mutated)._tag, "NotLinearizable", `seed ${seed}: ${kind}`)
        caught[kind]++
      }
    }
    for (const [kind, count] of Object.entries(caught)) assert.isAbove(count, 100, kind)
  })
})

interface Mutation {
  readonly kind: "stale" | "future" | "twice" | "undone" | "gone"
  readonly mutated: ReadonlyArray<Operation>
}

const versionOf = ({ returned }: Operation): number | undefined => {
  const result = returned?.answer.result
  if (typeof result !== "object" || result === null || !("version" in result)) return undefined
  return typeof result.version === "number" ? result.version : undefined
}

const told = (operation: Operation, result: Schema.Json): Operation => ({
  ...operation,
  returned: { ...operation.returned!, answer: { type: "ok", result } }
})

/** Harm that no order can explain, whatever the unknown operations did. */
function* mutations(operations: ReadonlyArray<Operation>, below: (bound: number) => number): Generator<Mutation> {
  const changes = operations.filter(({ op, value }) => op !== "read" && typeof value !== "undefined")
  const withVersion = operations.filter((operation) => versionOf(operation) !== undefined)
  const isChange = ({ op }: Operation) => op === "write" || op === "cas" || op === "create"
  const acknowledged = withVersion.filter(isChange)
  const reads = operations.filter(({ op, returned }) => op === "read" && returned !== undefined)
  const one = <A>(from: ReadonlyArray<A>): A | undefined => from[below(from.length)]
  const replace = (old: Operation, by: Operation) => operations.map((each) => (each === old ? by : each))
  const valueOf = ({ value }: Operation): Schema.Json =>
    typeof value === "object" && value !== null && "value" in value ? value.value! : value

  // A read that began after version n was told, and answers an earlier one.
  const late = one(
    reads.flatMap((read) => {
      const known = acknowledged.filter(({ returned }) => returned!.at < read.invokedAt)
      return known.length >= 2 ? [{ read, known }] : []
    })
  )
  if (late !== undefined) {
    const [older] = late.known.toSorted((a, b) => versionOf(a)! - versionOf(b)!)
    const result = { value: valueOf(older!), version: versionOf(older!)! }
    yield { kind: "stale", mutated: replace(late.read, told(late.read, result)) }
  }
  // A read that ended before a write began, and answers it.
  const early = one(
    reads.flatMap((read) => {
      const later = changes.find((change) => change.invokedAt > read.returned!.at && acknowledged.includes(change))
      return later === undefined ? [] : [{ read, later }]
    })
  )
  if (early !== undefined) {
    const result = { value: valueOf(early.later), version: versionOf(early.later)! }
    yield { kind: "future", mutated: replace(early.read, told(early.read, result)) }
  }
  // Two writes that were told the same version.
  const first = one(acknowledged)
  const second = one(acknowledged.filter((each) => each !== first))
  if (first !== undefined && second !== undefined) {
    yield { kind: "twice", mutated: replace(second, told(second, { version: versionOf(first)! })) }
  }
  // A write that was told to have failed, and was read.
  const seen = acknowledged.filter((write) =>
    reads.some(({ returned }) => JSON.stringify(returned!.answer.result).includes(`"${String(valueOf(write))}"`))
  )
  const undone = one(seen)
  if (undone !== undefined) yield { kind: "undone", mutated: operations.filter((each) => each !== undone) }
  // A read of a value that nobody wrote.
  const read = one(reads)
  if (read !== undefined) yield { kind: "gone", mutated: replace(read, told(read, { value: "nobody's", version: 3 })) }
}

describe("bounds", () => {
  const long = (options: { readonly operationsCount: number; readonly clientsCount: number }) =>
    operationsOf(
      generate({ seed: 1, unknownPerMille: 5, ...options, model: VersionedRegister.model, draw: drawVersioned })
    )

  it("twenty thousand operations of one key neither overflow the stack nor take long", () => {
    const operations = long({ operationsCount: 20_000, clientsCount: 8 })
    const startedMs = performance.now()
    assert.strictEqual(check(VersionedRegister.model, operations)._tag, "Linearizable")
    assert.isBelow(performance.now() - startedMs, 10_000)
  })

  it("a search that would pass its bound answers that it is undecided, and for which keys", () => {
    const operations = long({ operationsCount: 200, clientsCount: 4 })
    assert.deepStrictEqual(check(VersionedRegister.model, operations, { stepsMax: 100 }), {
      _tag: "Undecided",
      keys: ["x"],
      stepsMax: 100
    })
  })

  it("many unknown writes that no read saw do not make it undecided", () => {
    const { begin, events, whole } = recorder()
    for (let count = 0; count < 60; count++) {
      begin("write", `lost ${count}`)
      whole("write", count, "ok")
      whole("read", undefined, "ok", count)
    }
    assert.strictEqual(judge(Register.model, events), "Linearizable")
  })

  it("an operation that the model does not know is a mistake of the test, and stops it", () => {
    const { events, whole } = recorder()
    whole("increment", 1, "ok")
    assert.throws(() => judge(Register.model, events), "the model knows no increment of 1")
  })
})
