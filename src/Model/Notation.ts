/**
 * The notations of values that JSON does not have: dates, large integers, decimals, durations, numbers as text. To find
 * the notation of a schema, it encodes a few samples. So it does not mistake an application's own codec for Effect's.
 * Pure.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Rfc3339 from "./Rfc3339.ts"

/**
 * `instant`: RFC 3339, perhaps with the name of a zone. `epochMs`: ms since 1970, as a number. `decimal`: digits, perhaps
 * with an exponent. `number`: a JSON number, or a text. `duration`: an object of milliseconds or nanoseconds.
 */
export type Notation = "instant" | "epochMs" | "decimal" | "number" | "duration"

/** A sample value, and a check whether a JSON value is that sample in a notation. */
interface Sample {
  readonly json: unknown
  readonly notations: { readonly [N in Notation]?: (written: unknown, own: OwnCodec) => boolean }
}

/** Effect's own codec of a type. It makes the samples, so this file loads no module of a type that a program does not use. */
type OwnCodec = (json: unknown) => Option.Option<unknown>

const instants = [0, 1_234_567_890_123, -62_000_000_000_001]

const atInstant = (ms: number, json: unknown): Sample => ({
  json,
  notations: {
    instant: (written) => typeof written === "string" && Rfc3339.read(written)?.ms === ms,
    epochMs: (written) => written === ms
  }
})

const utc = instants.map((ms) => atInstant(ms, new Date(ms).toISOString()))

const zoned = (ms: number, offsetMs: number, offset: string) =>
  atInstant(ms, new Date(ms + offsetMs).toISOString().replace("Z", offset))

/** A duration in ms, and in nanoseconds. */
const lasting = (ms: number, nanos: string, json: unknown): Sample => ({
  json,
  notations: {
    duration: (written) => typeof written === "object" && written !== null && "_tag" in written,
    number: (written) => written === ms,
    decimal: (written) => written === nanos
  }
})

/** The samples of a type, by the name that Effect gives it. */
const samples: Readonly<Record<string, ReadonlyArray<Sample>>> = {
  number: [0, -1.5, 1e21, 40].map((value) => ({
    json: value,
    notations: { number: (written) => written === value || written === String(value) }
  })),
  bigint: ["0", "-12", `1${"0".repeat(30)}`].map((json) => ({
    json,
    notations: { decimal: (written) => written === json }
  })),
  "effect/schema/Date": utc,
  "effect/schema/DateTimeUtc": utc,
  "effect/schema/DateTimeZoned": instants.flatMap((ms) => [zoned(ms, 0, "+00:00"), zoned(ms, -19_800_000, "-05:30")]),
  "effect/schema/BigDecimal": ["0", "-12.5", "1e50", "0.000000001"].map((json) => ({
    json,
    notations: { decimal: (written, own) => typeof written === "string" && Equal.equals(own(written), own(json)) }
  })),
  "effect/schema/Duration": [
    lasting(1_500, "1500000000", { _tag: "Millis", value: 1_500 }),
    lasting(0.0015, "1500", { _tag: "Nanos", value: "1500" }),
    lasting(0, "0", { _tag: "Millis", value: 0 })
  ]
}

/** The notation of a JSON codec, undefined if it is none of these. */
export const notationOf = (codec: SchemaAST.AST): Notation | undefined => {
  const known = samples[typeOf(codec) ?? ""]
  if (known === undefined) return undefined
  const own = ownCodec(codec)
  const written = known.map(({ json, notations }) => {
    const value = own(json)
    return { notations, json: Option.isSome(value) ? encoded(codec, value.value) : undefined }
  })
  const isWritten = (notation: Notation) =>
    written.every(({ json, notations }) => notations[notation]?.(json, own) === true)
  return (["instant", "epochMs", "decimal", "number", "duration"] as const).find(isWritten)
}

/** The codec of a type without checks and transformations of the program. */
const ownCodec = (ast: SchemaAST.AST): OwnCodec => {
  const parts = { checks: undefined, context: undefined, encoding: undefined }
  const bare: SchemaAST.AST = Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, parts)
  const own = Schema.make<Schema.Codec<unknown>>(bare)
  return Schema.decodeUnknownOption(Schema.toCodecJson(own))
}

/** Effect's name of a type, if the type has samples. */
export const typeOf = (ast: SchemaAST.AST): string | undefined => {
  if (ast._tag === "Number") return "number"
  if (ast._tag === "BigInt") return "bigint"
  const named: unknown = ast._tag === "Declaration" ? ast.annotations?.representation : undefined
  return typeof named === "object" && named !== null && "id" in named ? String(named.id) : undefined
}

/** Encodes a value by the transformations of a codec, without its checks, which a sample may break. */
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
