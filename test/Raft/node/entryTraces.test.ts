/** The spans of traced entries, over what may become of an entry. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Tracer } from "effect"
import type { LogEntry } from "../../../src/EventStore/LogEntry.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import * as EntryTraces from "../../../src/Raft/node/EntryTraces.ts"
import * as Tracing from "../../../src/Tracing.ts"

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

const make = Effect.gen(function* () {
  const spans: Array<Tracer.Span> = []
  const span: Tracer.Tracer["span"] = (options) => {
    const made = Tracer.nativeTracer.span(options)
    spans.push(made)
    return made
  }
  const current = Tracing.current(yield* Clock.Clock)
  const tracing = yield* Effect.provideService(current, Tracer.Tracer, Tracer.make({ span }))
  const traces = EntryTraces.make(tracing!, "a")
  const decide = (index: number, named = traceparent) =>
    traces.decided(named, { command: "Create User", tookNanos: 5n, at: { index, term: 1 } })
  const stepped = (at: { commitIndex: number; durableIndex: number; leads?: boolean }) =>
    traces.stepped({ ...at, role: { _tag: at.leads === false ? "Follower" : "Leader" } } as unknown as State)
  const apply = (index: number, term = 1) => {
    let count = 0
    traces.applying({ index, term, type: "transaction", payload: new Uint8Array() } as LogEntry, () => {
      count += 1
    })
    assert.strictEqual(count, 1, "whatever is traced, the entry is applied once")
  }
  /** The names of the spans that have ended, with the outcome of a commit. */
  const ended = () =>
    spans.flatMap(({ attributes, name, status }) =>
      status._tag === "Ended" ? [[name, attributes.get("lithair.outcome")].filter(Boolean).join(" ")] : []
    )
  return { traces, decide, stepped, apply, spans, ended }
})

const whole = ["lithair.decide", "lithair.commit committed", "lithair.sync", "lithair.apply"]

describe("a traced entry", () => {
  it.effect("has a span for its decision, sync, commit and applying", () =>
    Effect.gen(function* () {
      const { apply, decide, ended, spans, stepped, traces } = yield* make
      decide(7)
      const synced = traces.syncing()
      stepped({ commitIndex: 6, durableIndex: 6 })
      assert.deepStrictEqual(ended(), ["lithair.decide"])
      synced?.()
      stepped({ commitIndex: 6, durableIndex: 7 })
      stepped({ commitIndex: 7, durableIndex: 7 })
      apply(7)
      assert.deepStrictEqual(ended(), whole)
      assert.isTrue(spans.every(({ traceId }) => traceId === "0af7651916cd43dd8448eb211c80319c"))
      assert.isUndefined(traces.syncing(), "nothing is followed any more")
    })
  )

  it.effect("that a later leader may commit or not has an unknown outcome, and no further span", () =>
    Effect.gen(function* () {
      const { apply, decide, ended, stepped } = yield* make
      decide(7)
      stepped({ commitIndex: 6, durableIndex: 6, leads: false })
      apply(7)
      assert.deepStrictEqual(ended(), ["lithair.decide", "lithair.commit unknown"])
    })
  )

  it.effect("in whose place another entry was committed is not taken for that one", () =>
    Effect.gen(function* () {
      const { apply, decide, ended } = yield* make
      decide(7)
      apply(7, 2)
      assert.deepStrictEqual(ended(), ["lithair.decide", "lithair.commit unknown"])
    })
  )

  it.effect("is followed among at most a thousand, and a parent that is not sampled has no spans", () =>
    Effect.gen(function* () {
      const { decide, spans } = yield* make
      decide(1, traceparent.replace(/01$/, "00"))
      decide(2, "nonsense")
      assert.strictEqual(spans.length, 0)
      for (let index = 3; index < 2_003; index++) decide(index)
      assert.strictEqual(spans.filter(({ name }) => name === "lithair.commit").length, 1_000)
    })
  )
})
