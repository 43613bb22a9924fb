/**
 * How JSON writes values that are more than JSON: dates, large integers, decimals, durations, numbers as text. What a
 * schema's own encoder makes of a few samples tells; so a codec of one's own that writes otherwise is not taken for it. Pure.
 */
import * as BigDecimal from "effect/BigDecimal"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Rfc3339 from "./Rfc3339.ts"

/**
 * `instant`: RFC 3339, with the name of a zone perhaps. `epochMs`: ms since 1970, as a number. `decimal`: the digits, with
 * an exponent perhaps. `number`: as JSON writes it, or as text. `duration`: an object of milliseconds or nanoseconds.
 */
export type Notation = "instant" | "epochMs" | "decimal" | "number" | "duration"

/** A value, and whether a JSON value is what a notation makes of it. */
interface Sample {
  readonly value: unknown
  readonly notations: { readonly [N in Notation]?: (written: unknown) => boolean }
}

const instants = [0, 1_234_567_890_123, -62_000_000_000_001]

const atInstant = (ms: number, value: unknown): Sample => ({
  value,
  notations: {
    instant: (written) => typeof written === "string" && Rfc3339.read(written)?.ms === ms,
    epochMs: (written) => written === ms
  }
})

const durationNanos = (value: Duration.Duration) => String(Duration.toNanosUnsafe(value))

/** By the name that Effect gives a type. */
const samples: Readonly<Record<string, ReadonlyArray<Sample>>> = {
  number: [0, -1.5, 1e21, 40].map((value) => ({
    value,
    notations: { number: (written) => written === value || written === String(value) }
  })),
  bigint: [0n, -12n, 10n ** 30n].map((value) => ({
    value,
    notations: { decimal: (written) => written === String(value) }
  })),
  "effect/schema/Date": instants.map((ms) => atInstant(ms, new Date(ms))),
  "effect/schema/DateTimeUtc": instants.map((ms) => atInstant(ms, DateTime.makeUnsafe(ms))),
  "effect/schema/DateTimeZoned": instants.flatMap((ms) =>
    [0, -19_800_000].map((offsetMs) => atInstant(ms, DateTime.makeZonedUnsafe(ms, { timeZone: offsetMs })))
  ),
  "effect/schema/BigDecimal": ["0", "-12.5", "1e50", "0.000000001"].map((text) => ({
    value: BigDecimal.fromStringUnsafe(text),
    notations: {
      decimal: (written) =>
        typeof written === "string" &&
        Option.exists(BigDecimal.fromString(written), (read) =>
          BigDecimal.equals(read, BigDecimal.fromStringUnsafe(text))
        )
    }
  })),
  "effect/schema/Duration": [Duration.millis(1_500), Duration.nanos(1_500n), Duration.zero].map((value) => ({
    value,
    notations: {
      duration: (written) => typeof written === "object" && written !== null && "_tag" in written,
      number: (written) => written === Duration.toMillis(value),
      decimal: (written) => written === durationNanos(value)
    }
  }))
}

/** The notation of a JSON codec's values, undefined where it is none of these. */
export const notationOf = (codec: SchemaAST.AST): Notation | undefined => {
  const known = samples[typeOf(codec) ?? ""]
  const written = known?.map(({ notations, value }) => ({ notations, json: encoded(codec, value) }))
  if (written === undefined) return undefined
  const isWritten = (notation: Notation) => written.every(({ json, notations }) => notations[notation]?.(json) === true)
  return (["instant", "epochMs", "decimal", "number", "duration"] as const).find(isWritten)
}

/** What Effect calls a type, where it is one that has samples. */
export const typeOf = (ast: SchemaAST.AST): string | undefined => {
  if (ast._tag === "Number") return "number"
  if (ast._tag === "BigInt") return "bigint"
  const named: unknown = ast._tag === "Declaration" ? ast.annotations?.representation : undefined
  return typeof named === "object" && named !== null && "id" in named ? String(named.id) : undefined
}

/** What the transformations of a codec make of a value, without its checks: a sample need not keep them. */
const encoded = (codec: SchemaAST.AST, value: unknown): unknown => {
  let written = value
  for (const { to, transformation } of codec.encoding ?? []) {
    if (transformation._tag !== "Transformation") return undefined
    const encode = transformation.encode as SchemaGetter.Getter<unknown, unknown>
    // The application's code may be among them, and may throw.
    const exit = Effect.runSyncExit(Effect.suspend(() => SchemaGetter.run(encode, Option.some(written), {})))
    if (Exit.isFailure(exit) || Option.isNone(exit.value)) return undefined
    written = encoded(to, exit.value.value)
  }
  return written
}
