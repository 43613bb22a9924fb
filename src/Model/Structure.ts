/**
 * Whether stored JSON has the structure of a schema: no member that the schema does not know, and none missing that it
 * would fill in. It looks at no value, so it is much cheaper than the codec. Pure.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

type Json = Schema.Json

/** Whether JSON has the structure. False also means that this cannot be told without the codec. */
export type Structure = (json: Json) => boolean

/** Compiles the structure of a JSON codec. */
export const structureOf = (codec: SchemaAST.AST): Structure => {
  const { encoding } = codec
  if (encoding !== undefined) return structureOf(encoding[encoding.length - 1]!.to)
  switch (codec._tag) {
    case "Objects":
      return objectOf(codec)
    case "Arrays":
      return arrayOf(codec)
    case "Union":
      return unionOf(codec.types.map(structureOf))
    case "Suspend":
      return suspended(codec)
    case "Any":
    case "Unknown":
    case "ObjectKeyword":
      return unknown
    case "Declaration":
      return untold
    default:
      return scalar
  }
}

const isObject = (json: Json): json is { readonly [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const scalar: Structure = (json) => json === null || typeof json !== "object"
const unknown: Structure = () => true
const untold: Structure = () => false

/** A schema may refer to itself, so it is compiled when a value needs it. */
const suspended = (codec: SchemaAST.Suspend): Structure => {
  let compiled: Structure | undefined
  return (json) => {
    compiled ??= structureOf(codec.thunk())
    return compiled(json)
  }
}

const unionOf =
  (members: ReadonlyArray<Structure>): Structure =>
  (json) =>
    members.some((fits) => fits(json))

const arrayOf = ({ elements, rest }: SchemaAST.Arrays): Structure => {
  const fixed = elements.map(structureOf)
  const [others, ...after] = rest.map(structureOf)
  if (after.length > 0) return untold
  return (json) => Array.isArray(json) && json.every((item: Json, at) => (fixed[at] ?? others ?? untold)(item))
}

const objectOf = ({ indexSignatures, propertySignatures }: SchemaAST.Objects): Structure => {
  const members = new Map(propertySignatures.map(({ name, type }) => [String(name), structureOf(type)]))
  const needed = propertySignatures.filter(isNeeded).map(({ name }) => String(name))
  const [index] = indexSignatures
  const others = index === undefined ? untold : structureOf(index.type)
  return (json) => {
    if (!isObject(json)) return false
    for (const key in json) {
      if (Object.hasOwn(json, key) && !(members.get(key) ?? others)(json[key]!)) return false
    }
    return needed.every((key) => Object.hasOwn(json, key))
  }
}

/** Whether a member must be there, or the codec would fill it in. */
const isNeeded = ({ name, type }: SchemaAST.PropertySignature): boolean => {
  const key = String(name)
  const codec = Schema.Struct({ [key]: Schema.make<Schema.Codec<unknown, Json>>(type) })
  const decode = Schema.decodeUnknownResult(codec)
  const encode = Schema.encodeUnknownResult(codec)
  const shown = Result.flatMap(
    Result.try(() => Result.flatMap(decode({}), encode)),
    (shown) => shown
  )
  return Result.isFailure(shown) || Object.hasOwn(shown.success, key)
}
