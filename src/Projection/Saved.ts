/**
 * Encodes the states of a projection for its file, so that a start can go on from there: lines of JSON, the last with a
 * digest of the others. Pure. The node does not use a file that does not match, and folds the projection again.
 */
import { createHash } from "node:crypto"
import { Result, Schema } from "effect"
import type { Folded } from "./Definition.ts"
import { empty, type States } from "./Fold.ts"

/** The states, and the last entry that they reflect. */
export interface Snapshot<S> {
  readonly index: number
  readonly states: States<S>
}

const Head = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal("lithair projection 1"),
    projection: Schema.String,
    kind: Schema.Literals(["Whole", "Keyed"]),
    version: Schema.Int,
    // Absent in a file of a release that did not say it.
    models: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
    index: Schema.Int
  })
)
const Line = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.Json]))
const Tail = Schema.fromJsonString(Schema.Struct({ sha256: Schema.String }))

/** The size of an encoded part. */
const partChars = 64 * 1024
/** How much to hash at once when reading. */
const partBytes = 1024 * 1024

/** Encodes the states part by part, on demand. Fails with the key of a state that does not encode. */
export function* encode<S>(
  projection: Folded<S>,
  { index, states }: Snapshot<S>
): Generator<Result.Result<Uint8Array, string>> {
  const hash = createHash("sha256")
  const encoder = new TextEncoder()
  const part = (text: string) => {
    const bytes = encoder.encode(text)
    hash.update(bytes)
    return Result.succeed(bytes)
  }
  const { _tag: kind, models, name, version } = projection
  let text = `${JSON.stringify({ format: "lithair projection 1", projection: name, kind, version, models, index })}\n`
  for (const [key, state] of states.entries()) {
    const encoded = encodeState(projection, state)
    if (Result.isFailure(encoded)) return yield Result.fail(`the state of ${JSON.stringify(key)} ${encoded.failure}`)
    text += `${JSON.stringify([key, encoded.success])}\n`
    if (text.length < partChars) continue
    yield part(text)
    text = ""
  }
  yield part(text)
  yield Result.succeed(encoder.encode(`${JSON.stringify({ sha256: hash.digest("hex") })}\n`))
}

/** Encodes a state as JSON. Fails if the projection's code returned a state that does not fit its schema. */
export const encodeState = <S>(projection: Folded<S>, state: S): Result.Result<Schema.Json, string> =>
  Result.mapError(
    Result.flatMap(
      Result.try({ try: () => Schema.encodeUnknownResult(projection.codec)(state), catch: () => undefined }),
      (encoded) => encoded
    ),
    () => "does not fit the projection's schema"
  )

/** Decodes a state. A schema may throw when it encodes or decodes. That must not keep a node from starting. */
export const decodeState = <S>(projection: Folded<S>, encoded: Schema.Json): Result.Result<S, string> =>
  Result.mapError(
    Result.flatMap(
      Result.try({ try: () => Schema.decodeUnknownResult(projection.codec)(encoded), catch: () => undefined }),
      (state) => state
    ),
    () => "does not fit the projection's schema"
  )

/** Decodes the saved states in small steps, so that it does not block a node that starts. Fails with the reason why it cannot use them. */
export function* decoding<S>(
  projection: Folded<S>,
  bytes: Uint8Array
): Generator<void, Result.Result<Snapshot<S>, string>> {
  const tailOffset = bytes.lastIndexOf(lineFeed, bytes.length - 2) + 1
  const tail = textOf(bytes.subarray(tailOffset)).pipe(Result.flatMap(Schema.decodeUnknownResult(Tail)))
  const body = bytes.subarray(0, tailOffset)
  if (Result.isFailure(tail) || bytes.at(-1) !== lineFeed) return Result.fail("it is cut off")
  const hash = createHash("sha256")
  for (let at = 0; at < body.length; at += partBytes) {
    hash.update(body.subarray(at, at + partBytes))
    yield
  }
  if (hash.digest("hex") !== tail.success.sha256) return Result.fail("its digest differs")
  const lines = linesOf(body)
  const head = Result.flatMap(lines.next().value ?? cutOff, Schema.decodeUnknownResult(Head))
  if (Result.isFailure(head)) return Result.fail("it has a format that this release does not know")
  const { index, kind, models = {}, projection: name, version } = head.success
  if (name !== projection.name || kind !== projection._tag || version !== projection.version) {
    return Result.fail(`it belongs to version ${version} of ${name}`)
  }
  const other = Object.entries(projection.models).find(([model, version]) => (models[model] ?? 1) !== version)
  if (other !== undefined) return Result.fail(`it was folded from version ${models[other[0]] ?? 1} of ${other[0]}`)
  const states = empty<S>()
  for (const text of lines) {
    const line = Result.flatMap(text, Schema.decodeUnknownResult(Line))
    const state = Result.flatMap(line, ([, encoded]) => decodeState(projection, encoded))
    if (Result.isFailure(line) || Result.isFailure(state)) return Result.fail("a state in it does not fit its schema")
    states.set(line.success[0], state.success)
    yield
  }
  return Result.succeed({ index, states })
}

/** Decodes the saved states in one go. */
export const decode = <S>(projection: Folded<S>, bytes: Uint8Array): Result.Result<Snapshot<S>, string> => {
  const steps = decoding(projection, bytes)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

const lineFeed = 10
const cutOff = Result.fail("it is cut off")

const textOf = (bytes: Uint8Array): Result.Result<string, string> =>
  Result.try({ try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes), catch: () => "not UTF-8" })

function* linesOf(bytes: Uint8Array): Generator<Result.Result<string, string>> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(lineFeed, at)
    const lineEnd = end < 0 ? bytes.length : end
    yield textOf(bytes.subarray(at, lineEnd))
    at = lineEnd + 1
  }
}
